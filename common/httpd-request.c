/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "httpd-request.h"

/* RFC 9110, section 5.6.2. */
static bool
is_token(const char *s, size_t len)
{
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\0' ||
		    (!isalnum((unsigned char)s[i]) &&
			strchr("!#$%&'*+-.^_`|~", s[i]) == NULL))
			return false;
	return true;
}

/* Cuts the next line off: returns it without its CRLF, NULL if there is none.
 */
static char *
next_line(char **at, char *end)
{
	char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));

	if (lf == NULL || lf == line || lf[-1] != '\r')
		return NULL;
	lf[-1] = '\0';
	*at = lf + 1;
	/* Neither a NUL nor a lone CR may hide in it. */
	return strcspn(line, "\r") == (size_t)(lf - 1 - line) ? line : NULL;
}

static bool
has_control(const char *s)
{
	while (*s != '\0' && !iscntrl((unsigned char)*s))
		s++;
	return *s != '\0';
}

static int
parse_start(char *line, struct httpd_request *r)
{
	char *target = strchr(line, ' '), *version;

	if (target == NULL || !is_token(line, (size_t)(target - line)))
		return 400;
	*target++ = '\0';
	version = strchr(target, ' ');
	if (version == NULL || version == target || has_control(target))
		return 400;
	*version++ = '\0';
	r->method = line;
	r->target = target;
	r->version = version;
	if (strncmp(version, "HTTP/", 5) != 0)
		return 400;
	version += 5;
	/* RFC 9110, section 2.5: a later 1 is read as 1.1 */
	return strncmp(version, "1.", 2) == 0 && version[2] >= '0' &&
		version[2] <= '9' && version[3] == '\0'
	    ? 0
	    : 505;
}

/* Cuts a header line in two; folded lines and "name :" are refused. */
static int
parse_header(char *line, struct httpd_request *r)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (colon == NULL || !is_token(line, (size_t)(colon - line)))
		return 400;
	if (r->header_count == HTTPD_HEADERS)
		return 431;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	r->headers[r->header_count++] = (struct httpd_header){line, value};
	return 0;
}

static bool
is_old(const struct httpd_request *r)
{
	return strcmp(r->version, "HTTP/1.0") == 0;
}

/* Whether a list such as "keep-alive, close" has the word. */
static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		list += strspn(list, " \t,");
		if (strncasecmp(list, word, len) == 0 &&
		    strchr(" \t,", list[len]) != NULL)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static int
parse_length(const char *value, size_t max, struct httpd_request *r)
{
	size_t n = 0;

	if (*value == '\0' || strspn(value, "0123456789") != strlen(value))
		return 400;
	for (; *value != '\0'; value++) {
		n = n * 10 + (size_t)(*value - '0');
		if (n > max)
			return 413;
	}
	r->length = n;
	return 0;
}

/*
 * How the body comes (RFC 9112, section 6.3). What two servers could take for
 * two different things is refused.
 */
static int
parse_framing(struct httpd_request *r, size_t max)
{
	const char *length = NULL, *coding = NULL;

	for (size_t i = 0; i < r->header_count; i++) {
		const struct httpd_header *h = &r->headers[i];

		if (strcasecmp(h->name, "content-length") == 0) {
			if (length != NULL && strcmp(length, h->value) != 0)
				return 400;
			length = h->value;
		} else if (strcasecmp(h->name, "transfer-encoding") == 0) {
			if (coding != NULL)
				return 400;
			coding = h->value;
		}
	}
	if (coding == NULL)
		return length == NULL ? 0 : parse_length(length, max, r);
	if (length != NULL || is_old(r))
		return 400;
	r->chunked = true;
	return strcasecmp(coding, "chunked") == 0 ? 0 : 501;
}

/* Whether the header Connection has an option, in any of its lines. */
static bool
has_option(const struct httpd_request *r, const char *option)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, "connection") == 0 &&
		    has_word(r->headers[i].value, option))
			return true;
	return false;
}

/* One, where HTTP/1.1 wants it, and nothing that a host cannot have. */
static bool
is_host_right(const struct httpd_request *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->header_count; i++) {
		const struct httpd_header *h = &r->headers[i];

		if (strcasecmp(h->name, "host") != 0)
			continue;
		count++;
		if (h->value[strcspn(h->value, " \t,/?#@\\")] != '\0')
			return false;
	}
	return count == 1 || (count == 0 && is_old(r));
}

static int
parse_manners(struct httpd_request *r)
{
	const char *expect = httpd_header(r, "expect");

	if (!is_host_right(r))
		return 400;
	r->keep = is_old(r) && has_option(r, "keep-alive");
	r->close = has_option(r, "close") || (is_old(r) && !r->keep);
	if (expect == NULL || is_old(r))
		return 0;
	r->expect = true;
	return strcasecmp(expect, "100-continue") == 0 ? 0 : 417;
}

int
httpd_parse(char *head, size_t len, size_t max, struct httpd_request *r)
{
	char *at = head, *end = head + len, *line;
	int status;

	r->header_count = r->length = r->body_len = 0;
	r->close = r->keep = r->expect = r->chunked = false;
	r->body = "";
	line = next_line(&at, end);
	status = line == NULL ? 400 : parse_start(line, r);
	while (status == 0) {
		line = next_line(&at, end);
		if (line == NULL)
			return 400;
		if (*line == '\0')
			break;
		status = parse_header(line, r);
	}
	if (status == 0)
		status = parse_manners(r);
	if (status == 0)
		status = parse_framing(r, max);
	return status;
}

const char *
httpd_header(const struct httpd_request *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

int
httpd_chunk_size(const char *line, size_t max, size_t *size)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0, count = 0;

	for (; isxdigit((unsigned char)*line); line++, count++) {
		const char *at = strchr(digits, tolower((unsigned char)*line));

		n = n * 16 + (size_t)(at - digits);
		if (n > max)
			return -1;
	}
	line += strspn(line, " \t");
	if (count == 0 || (*line != '\0' && *line != ';'))
		return -1;
	*size = n;
	return 0;
}
