/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "text.h"
#include "whk-api/tokens.h"

#define DIGEST 32
#define TOKEN_MIN 16
#define TOKEN_MAX 256
#define TENANT_MAX 256

struct token {
	unsigned char digest[DIGEST];
	char *tenant; /* NULL: all */
};

static int
digest(const char *s, size_t len, unsigned char out[DIGEST])
{
	return EVP_Digest(s, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

static bool
is_token(const char *s, size_t len)
{
	if (len < TOKEN_MIN || len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] < '!' || s[i] > '~')
			return false;
	return true;
}

static bool
is_tenant(const char *s)
{
	size_t len = strlen(s);

	return len <= TENANT_MAX && text_is_utf8(s, len) &&
	    !text_has_control(s);
}

/* Takes one line, without its LF. */
static int
take(struct tokens *t, char *line, struct err *e)
{
	size_t len = strcspn(line, " \t");
	char *tenant = line + len + strspn(line + len, " \t");
	struct token *v;

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (!is_token(line, len))
		return err_set(
		    e, "no token: that is 16 to 256 visible characters");
	if (!is_tenant(tenant))
		return err_set(e, "the tenant is no tenant");
	v = reallocarray(t->v, t->count + 1, sizeof(*v));
	if (v == NULL)
		return err_set(e, "out of memory");
	t->v = v;
	v[t->count].tenant = NULL;
	if (digest(line, len, v[t->count].digest) == -1)
		return err_set(e, "out of memory");
	if (tenant[0] != '\0' && (v[t->count].tenant = strdup(tenant)) == NULL)
		return err_set(e, "out of memory");
	t->count++;
	return 0;
}

static int
take_all(struct tokens *t, FILE *f, const char *path, struct err *e)
{
	struct err cause = {0};
	char *line = NULL;
	size_t size = 0;
	unsigned int number = 0;
	ssize_t len;

	while (cause.msg[0] == '\0' && (len = getline(&line, &size, f)) > 0) {
		number++;
		if (strlen(line) != (size_t)len)
			err_set(&cause, "holds a NUL");
		line[strcspn(line, "\r\n")] = '\0';
		if (cause.msg[0] == '\0')
			take(t, line, &cause);
	}
	if (line != NULL)
		freezero(line, size);
	if (ferror(f))
		return err_set(e, "%s: %s", path, strerror(errno));
	if (cause.msg[0] != '\0')
		return err_set(e, "%s: line %u: %s", path, number, cause.msg);
	return 0;
}

int
tokens_load(struct tokens *t, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	char buffer[4096];
	int rc;

	if (f == NULL)
		return err_set(e, "%s: %s", path, strerror(errno));
	setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	rc = take_all(t, f, path, e);
	fclose(f);
	explicit_bzero(buffer, sizeof(buffer));
	if (rc == 0 && t->count == 0)
		rc = err_set(e, "%s: no token in it", path);
	return rc;
}

bool
tokens_find(const struct tokens *t, const char *header, const char **tenant)
{
	unsigned char given[DIGEST];
	bool found = false;

	*tenant = NULL;
	if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	header += 7 + strspn(header + 7, " ");
	if (digest(header, strlen(header), given) == -1)
		return false;
	for (size_t i = 0; i < t->count; i++)
		if (CRYPTO_memcmp(given, t->v[i].digest, DIGEST) == 0) {
			found = true;
			*tenant = t->v[i].tenant;
		}
	return found;
}

void
tokens_free(struct tokens *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->v[i].tenant);
	free(t->v);
	*t = (struct tokens){0};
}
