/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "text.h"

#define DURATION_MAX ((int64_t)3653 * 86400 * 1000) /* 10 years */
#define TOO_MUCH (INT64_MAX / 16)

/*
 * The length of the UTF-8 character at the start of the len bytes at s, with
 * its code in *code; 0 if there is none (RFC 3629, section 4).
 */
static size_t
utf8_char(const unsigned char *s, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1
	    : s[0] < 0xc0      ? 0
	    : s[0] < 0xe0      ? 2
	    : s[0] < 0xf0      ? 3
	    : s[0] < 0xf8      ? 4
			       : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? s[0] : s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

/*
 * Whether a terminal could act on a character: controls, line separators, and
 * the marks that turn the direction of the text around them.
 */
static bool
is_active(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
	    (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) || c == 0x61c;
}

/* Writes one byte encoded; returns how many characters that took. */
static size_t
encode(char out[5], unsigned char c)
{
	static const char letters[] = "\aa\bb\tt\nn\vv\ff\rr";
	const char *at = c == '\0' ? NULL : strchr(letters, c);

	if (c < 0x20 && at != NULL)
		return (size_t)snprintf(out, 5, "\\%c", at[1]);
	return (size_t)snprintf(out, 5, "\\%03o", c);
}

size_t
text_visible(char *dst, size_t size, const char *src, size_t len)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t used = 0;

	while (len > 0) {
		char out[4 * 4 + 1];
		uint32_t code = 0;
		size_t n = utf8_char(s, len, &code), width = 0;
		bool plain = n > 0 && !is_active(code);

		if (n == 0)
			n = 1;
		if (plain)
			memcpy(out, s, width = n);
		else
			for (size_t i = 0; i < n; i++)
				width += encode(out + width, s[i]);
		if (width >= size - used)
			break;
		memcpy(dst + used, out, width);
		used += width;
		s += n;
		len -= n;
	}
	dst[used] = '\0';
	return used;
}

bool
text_is_utf8(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *end = s + len;

	while (s < end) {
		uint32_t code;
		uint64_t word;
		size_t n;

		/* Most text is ASCII: eight bytes at a time. */
		while (end - s >= 8) {
			memcpy(&word, s, 8);
			if ((word & 0x8080808080808080U) != 0)
				break;
			s += 8;
		}
		if (s == end)
			break;
		n = utf8_char(s, (size_t)(end - s), &code);
		if (n == 0)
			return false;
		s += n;
	}
	return true;
}

bool
text_is_id(const char *s)
{
	size_t n = strspn(s,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n >= 1 && n <= 128 && s[n] == '\0';
}

/* Reads digits from *s on, at least one. Returns -1 if it cannot. */
static int64_t
digits(const char **s)
{
	int64_t n = 0;
	const char *from = *s;

	for (; **s >= '0' && **s <= '9'; (*s)++) {
		n = n * 10 + (**s - '0');
		if (n > TOO_MUCH / 10)
			return -1;
	}
	return *s == from ? -1 : n;
}

static int64_t
duration_unit(const char *s)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000},
	    {"h", 3600000}, {"d", 86400000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(s, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

int
text_duration(const char *s, int64_t *ms)
{
	int64_t whole = digits(&s), part = 0, scale = 1, unit;

	if (whole < 0 || whole > DURATION_MAX)
		return -1;
	if (*s == '.') {
		if (*++s < '0' || *s > '9')
			return -1;
		/* Nine decimals of a day are below a millisecond. */
		for (; *s >= '0' && *s <= '9'; s++)
			if (scale < 1000000000) {
				part = part * 10 + (*s - '0');
				scale *= 10;
			}
	}
	unit = duration_unit(s);
	if (unit == 0 || whole > DURATION_MAX / unit)
		return -1;
	whole = whole * unit + part * unit / scale;
	if (whole > DURATION_MAX)
		return -1;
	*ms = whole;
	return 0;
}

int
text_size(const char *s, int64_t *bytes)
{
	static const char units[] = "kmg";
	int64_t n = digits(&s);
	int shift = 0;

	if (n < 0)
		return -1;
	if (*s != '\0') {
		const char *unit = strchr(units, *s | 0x20);

		if (unit == NULL || s[1] != '\0')
			return -1;
		shift = 10 * (int)(unit - units + 1);
	}
	if (n > (INT64_MAX >> shift))
		return -1;
	*bytes = n << shift;
	return 0;
}

bool
text_has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
			return true;
	}
	return false;
}
