/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "webhook-private.h"
#include "webhook.h"

/* The keys of a definition; back: what null sets it back to, as JSON. */
static const struct key {
	const char *name;
	int (*check)(const json_t *, struct err *);
	const char *back;
} keys[] = {
    {"url", webhook_check_url, NULL},
    {"events", webhook_check_events, "[]"},
    {"tenant", webhook_check_tenant, "null"},
    {"filter", webhook_check_filter, "null"},
    {"headers", webhook_check_headers, "{}"},
    {"content_type", webhook_check_content_type, "null"},
    {"timeout_ms", webhook_check_timeout, "15000"},
    {"schedule_ms", webhook_check_schedule, "null"},
    {"rate", webhook_check_rate, "null"},
    {"max_in_flight", webhook_check_max, "32"},
    {"ordered", webhook_check_ordered, "false"},
    {"description", webhook_check_description, "null"},
};

int
webhook_check_secret(const char *text, struct err *e)
{
	struct sign_key *key = sign_key_new(text, e);

	if (key == NULL)
		return -1;
	sign_key_free(key);
	if (strncmp(text, "whpk_", 5) == 0)
		return err_set(e, "secret: a public key cannot sign");
	return 0;
}

/* Copies the value of a key to def if it is given and good. */
static int
take(json_t *def, const struct key *k, json_t *value, enum webhook_use use,
    struct err *e)
{
	int rc;

	if (value == NULL || (json_is_null(value) && use == WEBHOOK_ADD))
		return 0;
	if (!json_is_null(value)) {
		if (k->check(value, e) == -1)
			return -1;
		rc = json_object_set(def, k->name, value);
	} else if (k->back == NULL) {
		return err_set(e, "%s: cannot be empty", k->name);
	} else {
		rc = json_object_set_new(
		    def, k->name, json_loads(k->back, JSON_DECODE_ANY, NULL));
	}
	return rc == 0 ? 0 : err_temporary(e, "out of memory");
}

/* The same for the secret, which a change cannot have. */
static int
take_secret(json_t *def, json_t *value, enum webhook_use use, struct err *e)
{
	if (value == NULL || json_is_null(value))
		return 0;
	if (use == WEBHOOK_SET)
		return err_set(e, "secret: is not set but rotated");
	if (!json_is_string(value))
		return err_set(e, "secret: not a string");
	if (webhook_check_secret(json_string_value(value), e) == -1)
		return -1;
	/* A copy of its own, which can be wiped. */
	if (json_object_set_new(def, "secret", json_copy(value)) == -1)
		return err_temporary(e, "out of memory");
	return 0;
}

json_t *
webhook_check(const json_t *given, enum webhook_use use, struct err *e)
{
	json_t *def;

	if (!json_is_object(given)) {
		err_set(e, "not a JSON object");
		return NULL;
	}
	if (use == WEBHOOK_ADD &&
	    !json_is_string(json_object_get(given, "url"))) {
		err_set(e, "no url");
		return NULL;
	}
	def = json_object();
	if (def == NULL) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(given, keys[i].name);

		if (take(def, &keys[i], value, use, e) == -1)
			goto fail;
	}
	if (take_secret(def, json_object_get(given, "secret"), use, e) == 0)
		return def;
fail:
	webhook_free(def);
	return NULL;
}

int
webhook_make_secret(json_t *def, char made[SIGN_SECRET_MAX], struct err *e)
{
	made[0] = '\0';
	if (json_object_get(def, "secret") != NULL)
		return 0;
	if (sign_make(made, e) == -1)
		return -1;
	if (json_object_set_new(def, "secret", json_string(made)) == -1)
		return err_temporary(e, "out of memory");
	return 0;
}

void
webhook_free(json_t *def)
{
	json_t *secret = json_object_get(def, "secret");

	/* What jansson gives is its own copy, and no one else's here. */
	if (json_is_string(secret) && secret->refcount == 1)
		explicit_bzero((void *)(uintptr_t)json_string_value(secret),
		    json_string_length(secret));
	json_decref(def);
}
