/* SPDX-License-Identifier: ISC */
/* What becomes of the figures: a screen, lines, checks. */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "print.h"
#include "term.h"
#include "whk-stat/program.h"

void
program_end(struct program *p, int status)
{
	p->status = status;
	loop_break(&p->loop);
}

void
program_fail(struct program *p, const struct err *e)
{
	warnx("%s", e->msg);
	program_end(p, err_status(e));
}

void
program_remember(struct program *p)
{
	const struct figures *f = &p->shown.f;
	int64_t now = clock_steady_ms();
	int64_t all = f->delivered + f->retried + f->failed;

	if (p->attempts_at_ms > 0 && now > p->attempts_at_ms) {
		if (p->history_count == HISTORY)
			memmove(p->history, p->history + 1,
			    --p->history_count * sizeof(p->history[0]));
		p->history[p->history_count++] = (double)(all - p->attempts) *
		    60000 / (double)(now - p->attempts_at_ms);
	}
	p->attempts = all;
	p->attempts_at_ms = now;
}

static int
write_screen(struct program *p)
{
	const struct look look = {.color = p->color,
	    .columns = term_columns(STDOUT_FILENO),
	    .worst = !stat_chosen(&p->choice),
	    .history = p->history,
	    .history_count = p->history_count,
	    .trouble = p->trouble.msg[0] != '\0' ? p->trouble.msg : NULL};

	if (!p->whole) {
		buf_fmt(&p->out, "%s\n", p->trouble.msg);
		return p->out.failed ? -1 : 0;
	}
	if (p->o.watch && !p->on_terminal && p->any)
		buf_text(&p->out, "\n");
	return stat_screen(&p->shown, &look, &p->out);
}

static int
write_form(struct program *p)
{
	if (p->o.json)
		return stat_lines(&p->shown, &p->choice, &p->out);
	if (p->o.prometheus)
		return stat_prometheus(&p->shown, &p->choice, &p->out);
	return write_screen(p);
}

void
program_show(struct program *p)
{
	struct err e;
	int rc;

	buf_clear(&p->out);
	rc = write_form(p);
	if (rc == -1)
		err_temporary(&e, "out of memory");
	else if (p->on_terminal)
		rc = watch_draw(&p->watch, p->out.data, p->out.len, &e);
	else if ((rc = print_bytes(p->out.data, p->out.len, &e)) == 0)
		rc = print_end(&e);
	p->any = true;
	if (rc == -1)
		program_fail(p, &e);
}

/* Says which of the webhooks asked for are none. */
static int
report_missing(const struct program *p)
{
	int status = 0;

	for (size_t i = 0; i < p->ids.count; i++) {
		size_t n = 0;

		while (n < p->shown.hook_count &&
		    p->shown.hooks[n].id != p->ids.v[i])
			n++;
		if (n < p->shown.hook_count)
			continue;
		warnx("%" PRId64 ": no such webhook%s", p->ids.v[i],
		    p->o.tenant == NULL ? "" : " of that tenant");
		status = 1;
	}
	return status;
}

/* Judges the figures, and prints those that do not pass. */
static int
run_checks(struct program *p)
{
	struct err e;
	int status = 0;

	for (size_t i = 0; i < p->o.checks.count; i++)
		if ((!check_queue(&p->checks[i]) || p->shown.queue != NULL) &&
		    !check_run(&p->checks[i], &p->shown, &p->out))
			status = 1;
	if (p->out.failed)
		err_temporary(&e, "out of memory");
	else if (print_bytes(p->out.data, p->out.len, &e) == 0 &&
	    print_end(&e) == 0)
		return status;
	warnx("%s", e.msg);
	return err_status(&e);
}

/* What fails comes before what is away. */
void
program_finish(struct program *p)
{
	const struct err *e = &p->round.queue_error;
	int status = 0;

	if (p->o.checks.count > 0)
		status = run_checks(p);
	else
		program_show(p);
	if (status == 0)
		status = p->status;
	if (p->choice.asks & 1U << ASK_HOOKS && status == 0)
		status = report_missing(p);
	if (e->msg[0] != '\0') {
		warnx("%s", e->msg);
		status = status == 0 ? err_status(e) : status;
	}
	program_end(p, status);
}
