/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "whk-api/form.h"

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = memchr(digits, tolower((unsigned char)c), 16);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Decodes a name or a value in place. */
static int
decode(char *s, struct err *e)
{
	char *to = s;

	for (const char *from = s; *from != '\0'; from++) {
		if (*from == '+') {
			*to++ = ' ';
		} else if (*from != '%') {
			*to++ = *from;
		} else {
			int high = hex(from[1]);
			int low = high == -1 ? -1 : hex(from[2]);

			if (low == -1)
				return err_set(e, "a %% without two digits");
			if (high == 0 && low == 0)
				return err_set(e, "a NUL");
			*to++ = (char)(high << 4 | low);
			from += 2;
		}
	}
	*to = '\0';
	if (!text_is_utf8(s, (size_t)(to - s)))
		return err_set(e, "not UTF-8");
	return 0;
}

static int
take(struct form *f, char *name, struct err *e)
{
	char *value = strchr(name, '=');
	struct pair *v;

	if (f->count == FORM_MAX)
		return err_set(e, "over %d names", FORM_MAX);
	if (value != NULL)
		*value++ = '\0';
	else
		value = name + strlen(name);
	if (decode(name, e) == -1 || decode(value, e) == -1)
		return -1;
	v = reallocarray(f->v, f->count + 1, sizeof(*v));
	if (v == NULL)
		return err_temporary(e, "out of memory");
	f->v = v;
	v[f->count++] = (struct pair){name, value};
	return 0;
}

int
form_read(struct form *f, const char *text, size_t len, struct err *e)
{
	char *at, *part;

	if (memchr(text, '\0', len) != NULL)
		return err_set(e, "a NUL");
	f->text = strndup(text, len);
	if (f->text == NULL)
		return err_temporary(e, "out of memory");
	f->len = len;
	at = f->text;
	while ((part = strsep(&at, "&")) != NULL)
		if (*part != '\0' && take(f, part, e) == -1)
			return -1;
	return 0;
}

void
form_free(struct form *f)
{
	/* A secret may have been in it. */
	if (f->text != NULL)
		freezero(f->text, f->len);
	free(f->v);
	*f = (struct form){0};
}

const char *
form_find(const struct form *f, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->v[i].name, name) == 0)
			value = f->v[i].value;
	return value;
}

int
form_check(const struct form *f, const char *const *names, struct err *e)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *const *n = names;

		while (*n != NULL && strcmp(*n, f->v[i].name) != 0)
			n++;
		if (*n == NULL)
			return err_set(
			    e, "unknown parameter '%.100s'", f->v[i].name);
	}
	return 0;
}

static void
encode(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s) != NULL)
			buf_add(b, s, 1);
		else
			buf_fmt(b, "%%%02X", (unsigned char)*s);
	}
}

void
form_add(struct buf *b, char first, const char *name, const char *value)
{
	buf_add(b, &first, 1);
	encode(b, name);
	buf_text(b, "=");
	encode(b, value);
}
