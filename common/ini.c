/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ini.h"

struct ini {
	ini_pair *pair;
	void *arg;
	struct err *e;
	unsigned long number; /* of the line */
	const char *section;
	const char *key;
	size_t indent; /* of that key's line */
};

static char *
trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

static int
section(struct ini *ini, char *s)
{
	char *end = strrchr(s, ']');

	if (end == NULL || end == s + 1)
		return err_set(
		    ini->e, "line %lu: no section name", ini->number);
	*end = '\0';
	ini->section = trim(s + 1);
	ini->key = NULL;
	return 0;
}

/* Cuts s in two at the first of the separators; NULL if there is none. */
static char *
cut(char *s, const char *separators)
{
	char *at = strpbrk(s, separators);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return trim(at + 1);
}

static int
belonging(struct ini *ini, char *s)
{
	char *value = cut(s, "=");

	if (value == NULL)
		return ini->pair(ini->arg, ini->section, ini->key, "", s);
	return ini->pair(ini->arg, ini->section, ini->key, trim(s), value);
}

static int
line(struct ini *ini, char *s)
{
	size_t indent = strspn(s, " \t");
	char *value;

	s = trim(s);
	if (*s == '\0' || *s == '#' || *s == ';')
		return 0;
	if (ini->key != NULL && indent > ini->indent)
		return belonging(ini, s);
	if (*s == '[')
		return section(ini, s);
	if (ini->section == NULL)
		return err_set(
		    ini->e, "line %lu: before any section", ini->number);
	value = cut(s, "=:");
	s = trim(s);
	if (value == NULL || *s == '\0')
		return err_set(ini->e, "line %lu: no key = value", ini->number);
	lower(s);
	ini->key = s;
	ini->indent = indent;
	return ini->pair(ini->arg, ini->section, s, NULL, value);
}

int
ini_parse(char *text, ini_pair *pair, void *arg, struct err *e)
{
	struct ini ini = {.pair = pair, .arg = arg, .e = e};
	char *next;

	for (char *s = text; s != NULL; s = next) {
		next = strchr(s, '\n');
		if (next != NULL)
			*next++ = '\0';
		ini.number++;
		if (line(&ini, s) == -1)
			return -1;
	}
	return 0;
}
