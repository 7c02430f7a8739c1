/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "webhook.h"
#include "whk-api/api.h"

int
body_kind(struct call *c, const struct httpd_request *r)
{
	const char *type = httpd_header(r, "content-type");
	size_t len = type == NULL ? 0 : strcspn(type, "; \t");

	if (r->body_len == 0)
		return 2;
	if (len == 16 && strncasecmp(type, "application/json", len) == 0)
		return 0;
	if (len == 33 &&
	    strncasecmp(type, "application/x-www-form-urlencoded", len) == 0)
		return 1;
	call_header(c,
	    "Accept-Post: application/json, "
	    "application/x-www-form-urlencoded");
	call_fail(c, 415,
	    "content-type: neither application/json nor "
	    "application/x-www-form-urlencoded");
	return -1;
}

int
body_form(struct call *c, const struct httpd_request *r, struct form *form)
{
	struct err e, cause;

	if (form_read(form, r->body, r->body_len, &cause) == 0)
		return 0;
	form_free(form);
	if (cause.temporary)
		e = cause;
	else
		err_set(&e, "not a form: %s", cause.msg);
	call_refuse(c, &e);
	return -1;
}

static const struct member *
find(const struct member *members, const char *name)
{
	for (; members->name != NULL; members++)
		if (strcmp(members->name, name) == 0)
			return members;
	return NULL;
}

/* A number as a form has it; NULL if it is none. */
static json_t *
number(const char *s)
{
	long long n;
	double d;
	char *end;

	if (strspn(s, "+-.0123456789eE") != strlen(s))
		return NULL;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_integer(n);
	d = strtod(s, &end);
	return *end == '\0' && isfinite(d) ? json_real(d) : NULL;
}

/* A field's value; NULL if it is none of its kind. */
static json_t *
value_of(enum kind kind, const char *s)
{
	switch (kind) {
	case KIND_TEXT:
	case KIND_TEXTS:
		return json_string(s);
	case KIND_NUMBER:
	case KIND_NUMBERS:
		return number(s);
	case KIND_BOOL:
		if (strcmp(s, "true") == 0 || strcmp(s, "on") == 0)
			return json_true();
		return strcmp(s, "false") == 0 ? json_false() : NULL;
	case KIND_JSON:
		break;
	}
	return NULL;
}

/* Puts a field into the object; an empty one is null. */
static int
put(json_t *object, const struct pair *p, const struct member *m, struct err *e)
{
	bool list = m->kind == KIND_TEXTS || m->kind == KIND_NUMBERS;
	json_t *old = json_object_get(object, m->name), *value;

	if (old != NULL && !(list && json_is_array(old)))
		return err_set(e, "%s: there twice", m->name);
	value = p->value[0] == '\0' ? json_null() : value_of(m->kind, p->value);
	if (value == NULL)
		return err_set(e, "%s: no such value in a form", m->name);
	if (list && json_is_null(value) && old == NULL)
		list = false;
	if (list && old == NULL) {
		old = json_array();
		if (json_object_set_new(object, m->name, old) == -1)
			old = NULL;
	}
	if ((list ? json_array_append_new(old, value)
		  : json_object_set_new(object, m->name, value)) == 0)
		return 0;
	return err_temporary(e, "out of memory");
}

static json_t *
read_form(
    struct call *c, const struct httpd_request *r, const struct member *members)
{
	json_t *object = json_object();
	struct form form = {0};
	struct err e = {0};

	if (body_form(c, r, &form) == -1) {
		json_decref(object);
		return NULL;
	}
	for (size_t i = 0; i < form.count && e.msg[0] == '\0'; i++) {
		const struct member *m = find(members, form.v[i].name);

		if (m == NULL)
			err_set(&e, "unknown key '%.100s'", form.v[i].name);
		else
			put(object, &form.v[i], m, &e);
	}
	form_free(&form);
	if (e.msg[0] == '\0')
		return object;
	webhook_free(object);
	call_refuse(c, &e);
	return NULL;
}

static json_t *
read_json(
    struct call *c, const struct httpd_request *r, const struct member *members)
{
	struct err e = {0};
	const char *name;
	json_t *value, *object;

	object = webhook_read((char *)(uintptr_t)r->body, r->body_len, &e);
	if (object != NULL && !json_is_object(object))
		err_set(&e, "not a JSON object");
	json_object_foreach (object, name, value) {
		if (find(members, name) == NULL)
			err_set(&e, "unknown key '%.100s'", name);
	}
	if (e.msg[0] == '\0')
		return object;
	webhook_free(object);
	call_refuse(c, &e);
	return NULL;
}

json_t *
body_read(
    struct call *c, const struct httpd_request *r, const struct member *members)
{
	json_t *object;

	switch (body_kind(c, r)) {
	case 0:
		return read_json(c, r, members);
	case 1:
		return read_form(c, r, members);
	case 2:
		object = json_object();
		if (object == NULL)
			call_fail(c, 500, "out of memory");
		return object;
	default:
		return NULL;
	}
}

int
query_number(struct call *c, const char *name, int64_t def, int64_t min,
    int64_t max, int64_t *n)
{
	const char *s = form_find(&c->query, name), *wrong = NULL;

	*n = s == NULL ? def : strtonum(s, min, max, &wrong);
	if (wrong == NULL &&
	    (s == NULL || strspn(s, "0123456789") == strlen(s)))
		return 0;
	call_fail(c, 400, "%s: not a whole number from %lld to %lld", name,
	    (long long)min, (long long)max);
	return -1;
}
