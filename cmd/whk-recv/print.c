/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "clock.h"
#include "httpd-request.h"
#include "print.h"
#include "text.h"

void
print_body(struct buf *b, const struct httpd_request *r)
{
	buf_add(b, r->body, r->body_len);
	buf_add(b, "\n", 1);
}

/* The head is for people: what a terminal could act on is made visible. */
static void
add_visible(struct buf *b, const char *s, const char *end)
{
	char chunk[1024];
	size_t len = strlen(s), n;

	for (; len > 0; s += n, len -= n) {
		n = len < 128 ? len : 128;
		/* Not amid a character, if it is one. */
		while (n < len && n > 124 && (s[n] & 0xc0) == 0x80)
			n--;
		buf_add(b, chunk, text_visible(chunk, sizeof(chunk), s, n));
	}
	buf_text(b, end);
}

void
print_headers(struct buf *b, const struct httpd_request *r)
{
	add_visible(b, r->method, " ");
	add_visible(b, r->target, " ");
	add_visible(b, r->version, "\n");
	for (size_t i = 0; i < r->header_count; i++) {
		add_visible(b, r->headers[i].name, ": ");
		add_visible(b, r->headers[i].value, "\n");
	}
	buf_add(b, "\n", 1);
	print_body(b, r);
	buf_add(b, "\n", 1);
}

/* Text that should be UTF-8, but came from outside. */
static void
add_text(struct buf *b, const char *s)
{
	struct buf visible = {0};
	size_t len = strlen(s);

	if (text_is_utf8(s, len)) {
		buf_json(b, s, len);
		return;
	}
	add_visible(&visible, s, "");
	if (visible.failed)
		b->failed = true;
	else
		buf_json(b, visible.data, visible.len);
	buf_free(&visible);
}

/* Whether an earlier line has the same name. */
static bool
is_repeated(const struct httpd_request *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(r->headers[i].name, r->headers[n].name) == 0)
			return true;
	return false;
}

/* The values of all lines of that name, as one (RFC 9110, section 5.3). */
static void
add_values(struct buf *b, const struct httpd_request *r, size_t from)
{
	struct buf all = {0};

	buf_text(&all, r->headers[from].value);
	for (size_t i = from + 1; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, r->headers[from].name) == 0)
			buf_fmt(&all, ", %s", r->headers[i].value);
	if (all.failed)
		b->failed = true;
	else
		add_text(b, all.data);
	buf_free(&all);
}

static void
add_headers(struct buf *b, const struct httpd_request *r)
{
	const char *comma = "";

	buf_text(b, ",\"headers\":{");
	for (size_t i = 0; i < r->header_count; i++) {
		if (is_repeated(r, i))
			continue;
		buf_fmt(b, "%s\"", comma);
		comma = ",";
		for (const char *s = r->headers[i].name; *s != '\0'; s++)
			buf_fmt(b, "%c", tolower((unsigned char)*s));
		buf_text(b, "\":");
		add_values(b, r, i);
	}
	buf_text(b, "}");
}

static void
add_base64(struct buf *b, const char *data, size_t len)
{
	char out[65];

	/* 48 bytes make 64 characters, so only the last piece is padded. */
	for (size_t n; len > 0; data += n, len -= n) {
		n = len < 48 ? len : 48;
		EVP_EncodeBlock(
		    (unsigned char *)out, (const unsigned char *)data, (int)n);
		buf_text(b, out);
	}
}

void
print_json(struct buf *b, const struct httpd_request *r,
    const struct print_facts *facts)
{
	char time[CLOCK_TEXT];

	clock_format(facts->time_ms, time);
	buf_fmt(b, "{\"time\":\"%s\",\"method\":", time);
	add_text(b, r->method);
	buf_text(b, ",\"path\":");
	add_text(b, r->target);
	add_headers(b, r);
	if (text_is_utf8(r->body, r->body_len)) {
		buf_text(b, ",\"body\":");
		buf_json(b, r->body, r->body_len);
	} else {
		buf_text(b, ",\"body_base64\":\"");
		add_base64(b, r->body, r->body_len);
		buf_text(b, "\"");
	}
	if (facts->checked)
		buf_fmt(b, ",\"verified\":%s",
		    facts->wrong == NULL ? "true" : "false");
	if (facts->wrong != NULL)
		buf_fmt(b, ",\"wrong\":\"%s\"", facts->wrong);
	buf_fmt(b, ",\"answer\":\"%s\"}\n", facts->answer);
}
