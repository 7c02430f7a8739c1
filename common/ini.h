/* SPDX-License-Identifier: ISC */
#ifndef WHK_INI_H
#define WHK_INI_H

#include <stddef.h>

#include "err.h"

/*
 * The format of the AWS CLI's config and credentials files, which is what
 * Python's configparser takes: "[section]" lines, "key = value" or
 * "key : value" lines, lines that begin with # or ;, and lines that are
 * indented deeper than the key they follow and belong to it.
 */

/*
 * Called for each key, in order: section as it stands between the brackets,
 * key in lower case, value without the space around it. For a line that
 * belongs to a key, sub is what stands before its equals sign ("" where there
 * is none), else NULL. All of it is valid during the call. Returns 0, or -1
 * to stop.
 */
typedef int ini_pair(void *arg, const char *section, const char *key,
    const char *sub, const char *value);

/*
 * Reads text, which ends with NUL and is written over. Returns 0, or -1 with
 * *e: the line that is wrong and why, or what pair() put there.
 */
int ini_parse(char *text, ini_pair *pair, void *arg, struct err *e);

#endif
