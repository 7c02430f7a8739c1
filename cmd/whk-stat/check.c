/* SPDX-License-Identifier: ISC */
/* --check: a name, an operator and a limit; and whether the figures pass. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "whk-stat/stat.h"

enum kind { NUMBER, DURATION, PERCENT };

/*
 * A figure that can be checked: its value (NAN: there is none, which passes),
 * a duration in ms, a share in percent. A count that stopped at a limit may be
 * any greater number: INFINITY.
 */
struct check_name {
	const char *name;
	enum kind kind;
	double (*value)(const struct stats *s);
};

static double
count(int64_t n, bool more)
{
	return more ? INFINITY : (double)n;
}

static double
oldest_due(const struct stats *s)
{
	return (double)s->f.late_ms;
}

static double
due(const struct stats *s)
{
	return count(s->f.due, s->f.more_due);
}

static double
waiting(const struct stats *s)
{
	return count(s->f.waiting, s->f.more_waiting);
}

static double
parked(const struct stats *s)
{
	return count(s->f.parked, s->f.more_parked);
}

static double
success(const struct stats *s)
{
	double share = stat_success(&s->f, 1);

	return share < 0 ? NAN : 100 * share;
}

static double
queue(const struct stats *s)
{
	return (double)s->depth.waiting;
}

static double
queue_in_flight(const struct stats *s)
{
	return (double)s->depth.in_flight;
}

static double
blocked(const struct stats *s)
{
	return (double)s->blocked;
}

static double
disabled(const struct stats *s)
{
	return (double)s->disabled;
}

static double
paused(const struct stats *s)
{
	return (double)s->paused;
}

static double
rate(const struct stats *s)
{
	return stat_rate(&s->f, 1);
}

static double
p50(const struct stats *s)
{
	return s->f.timed == 0 ? NAN : s->f.p50 / 1000;
}

static double
p90(const struct stats *s)
{
	return s->f.timed == 0 ? NAN : s->f.p90 / 1000;
}

static double
p99(const struct stats *s)
{
	return s->f.timed == 0 ? NAN : s->f.p99 / 1000;
}

static double
stray(const struct stats *s)
{
	return s->stray ? 1 : 0;
}

static const struct check_name names[] = {
    {"oldest-due", DURATION, oldest_due},
    {"due", NUMBER, due},
    {"waiting", NUMBER, waiting},
    {"parked", NUMBER, parked},
    {"success", PERCENT, success},
    {"queue", NUMBER, queue},
    {"queue-in-flight", NUMBER, queue_in_flight},
    {"blocked", NUMBER, blocked},
    {"disabled", NUMBER, disabled},
    {"paused", NUMBER, paused},
    {"rate", NUMBER, rate},
    {"p50", DURATION, p50},
    {"p90", DURATION, p90},
    {"p99", DURATION, p99},
    {"stray", NUMBER, stray},
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static int
refuse(const char *text, const char *reason, struct err *e)
{
	char list[256] = "";

	for (size_t i = 0; i < NAMES; i++) {
		if (i > 0)
			strlcat(list, ", ", sizeof(list));
		strlcat(list, names[i].name, sizeof(list));
	}
	return err_set(e,
	    "--check: '%.60s' %s; it is a name, one of < <= > >= =, and a "
	    "limit; the names are %s",
	    text, reason, list);
}

static const struct check_name *
find(const char *text, size_t len)
{
	for (size_t i = 0; i < NAMES; i++)
		if (strlen(names[i].name) == len &&
		    strncmp(names[i].name, text, len) == 0)
			return &names[i];
	return NULL;
}

/* Splits a number and its unit. 0, or -1 if it is none. */
static int
split(struct check *c, const char *s)
{
	char *end;

	if (s[0] == '\0' || s[0] == '.' || strspn(s, "0123456789.") == 0)
		return -1;
	c->limit = strtod(s, &end);
	c->factor = 1;
	if (strspn(s, "0123456789.") != (size_t)(end - s))
		return -1;
	return strlcpy(c->unit, end, sizeof(c->unit)) < sizeof(c->unit) ? 0
									: -1;
}

/* Reads the limit, of the name's kind. NULL, or what is wrong with it. */
static const char *
read_limit(struct check *c, const char *s)
{
	int64_t ms;

	if (split(c, s) == -1)
		return "has no limit that is a number";
	switch (c->name->kind) {
	case NUMBER:
		return c->unit[0] == '\0' ? NULL : "takes a bare number";
	case PERCENT:
		return strcmp(c->unit, "%") == 0 && c->limit <= 100
		    ? NULL
		    : "takes a share such as 99%";
	default:
		break;
	}
	if (text_duration(s, &ms) == -1)
		return "takes a time such as 300ms, 5m, 1h";
	if (c->unit[0] == '\0')
		strlcpy(c->unit, "s", sizeof(c->unit));
	c->factor = c->limit > 0 ? (double)ms / c->limit : 1000;
	c->limit = (double)ms;
	return NULL;
}

int
check_parse(struct check *c, const char *text, struct err *e)
{
	size_t name = strcspn(text, "<>= "), op;
	const char *at = text + name + strspn(text + name, " ");
	const char *wrong;

	*c = (struct check){.text = text, .name = find(text, name)};
	if (c->name == NULL)
		return refuse(text, "begins with no name", e);
	op = strspn(at, "<>=");
	if (op == 0 || op > 2 || (op == 2 && at[1] != '=') ||
	    (op == 2 && at[0] == '='))
		return refuse(text, "has no operator", e);
	memcpy(c->op, at, op);
	at += op;
	wrong = read_limit(c, at + strspn(at, " "));
	return wrong == NULL ? 0 : refuse(text, wrong, e);
}

bool
check_queue(const struct check *c)
{
	return strncmp(c->name->name, "queue", 5) == 0;
}

static bool
passes(const struct check *c, double v)
{
	bool equal = v == c->limit;

	if (isnan(v))
		return true;
	if (strcmp(c->op, "=") == 0)
		return equal;
	if (c->op[1] == '=' && equal)
		return true;
	return c->op[0] == '<' ? v < c->limit : v > c->limit;
}

/* The count that stopped at a limit, which check_name.value() does not say. */
static int64_t
stopped_at(const struct check *c, const struct stats *s)
{
	if (c->name->value == due)
		return s->f.due;
	return c->name->value == waiting ? s->f.waiting : s->f.parked;
}

bool
check_run(const struct check *c, const struct stats *s, struct buf *out)
{
	double v = c->name->value(s);
	char number[STAT_NUMBER];

	if (passes(c, v))
		return true;
	if (isinf(v))
		snprintf(number, sizeof(number), "%lld or more",
		    (long long)stopped_at(c, s));
	else
		snprintf(
		    number, sizeof(number), "%.6g%s", v / c->factor, c->unit);
	buf_fmt(out, "%s: it is %s\n", c->text, number);
	return false;
}
