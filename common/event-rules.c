/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "event-rules.h"
#include "json.h"
#include "text.h"

/* Why s may not be a type, tenant, key or content type; NULL: it may. */
static const char *
bad_text(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > EVENT_TEXT_MAX)
		return "not 1 to 256 bytes";
	if (!text_is_utf8(s, len))
		return "no UTF-8";
	if (text_has_control(s))
		return "holds a control character";
	return NULL;
}

static const char *
bad_ascii(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			return "not printable ASCII";
	return bad_text(s);
}

int
event_check(const struct event_line *ev, struct err *e)
{
	const struct {
		const char *name, *value;
		const char *(*bad)(const char *);
	} texts[] = {
	    {"type", ev->type, bad_text},
	    {"tenant", ev->tenant, bad_text},
	    {"key", ev->key, bad_text},
	    {"content_type", ev->content_type, bad_ascii},
	};

	if (ev->id != NULL && !text_is_id(ev->id))
		return err_set(e, "id: not 1 to 128 of A-Z a-z 0-9 _ -");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *why = texts[i].value == NULL
		    ? NULL
		    : texts[i].bad(texts[i].value);

		if (why != NULL)
			return err_set(e, "%s: %s", texts[i].name, why);
	}
	return 0;
}

/* Unescapes a JSON string's text into type, if it may be one. */
static bool
take_type(const struct json_slice *value, char type[EVENT_TEXT_MAX + 1])
{
	char copy[EVENT_TEXT_MAX * 6 + 2]; /* all of it escaped, and quotes */
	struct json j;
	const char *s;
	size_t len;

	if (value->text[0] != '"' || value->len > sizeof(copy))
		return false;
	memcpy(copy, value->text, value->len);
	json_init(&j, copy, value->len, 1);
	s = json_read_string(&j, &len);
	if (s == NULL || bad_text(s) != NULL)
		return false;
	memcpy(type, s, len + 1);
	return true;
}

bool
event_body_type(const char *body, size_t len, char type[EVENT_TEXT_MAX + 1])
{
	struct json_slice key, value;
	bool found = false;
	struct json j;

	/* nothing is unescaped in the body itself, so it stays as it is */
	json_init(&j, (char *)(uintptr_t)body, len, LINE_DEPTH);
	if (json_peek(&j) != '{' || !json_open(&j, '{'))
		return false;
	while (json_more(&j, '}'))
		if (json_key(&j, &key) && json_skip(&j, &value) &&
		    json_is(&key, "type"))
			found = take_type(&value, type);
	return json_end(&j, NULL) == 0 && found;
}
