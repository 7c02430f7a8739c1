/* SPDX-License-Identifier: ISC */
#ifndef WHK_AWS_PROFILE_H
#define WHK_AWS_PROFILE_H

#include <stdbool.h>

#include "err.h"

/* aws.c's own: a profile in the shared credentials and config files. */

enum aws_key {
	AWS_KEY_ID,
	AWS_KEY_SECRET,
	AWS_KEY_TOKEN,
	AWS_KEY_REGION,
	AWS_KEY_ENDPOINT,
	AWS_KEY_SERVICES,
	AWS_KEY_SSO_SESSION,
	AWS_KEY_SSO_URL,
	AWS_KEY_ROLE,
	AWS_KEY_WEB,
	AWS_KEY_PROCESS,
	AWS_KEY_COUNT
};

/* What they are called in the files. */
extern const char *const aws_key_names[AWS_KEY_COUNT];

/* One profile as one file has it. */
struct aws_profile {
	const char *name; /* set by the owner, as is the next */
	bool is_config;   /* sections are named "profile NAME" there */
	char *path;
	bool found;
	char *values[AWS_KEY_COUNT];
	const char *services; /* the services section to look into, or NULL */
	char *sqs_endpoint;   /* what it says */
	struct err *e;
};

/*
 * Reads the file, if there is one. Returns 0, or -1 with *e. In any case
 * aws_profile_free() wipes and frees what the struct holds.
 */
int aws_profile_load(struct aws_profile *p, struct err *e);
void aws_profile_free(struct aws_profile *p);

/* A variable of the environment, or NULL; an empty one is none. */
const char *aws_env(const char *name);

/*
 * Puts a copy of value into *to in place of what is there; what says where it
 * comes from. Returns 0, or -1 with *e if it has a control character.
 */
int aws_keep(char **to, const char *value, const char *what, struct err *e);

/* Wipes and frees a string; NULL is allowed. */
void aws_wipe(char *s);

#endif
