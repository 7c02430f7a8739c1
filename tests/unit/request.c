/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "request.h"

#define OLD "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define NEW "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

/* The example of the specification: its body, id and time. */
#define BODY "{\"test\": 2432232314}"
#define AT_MS INT64_C(1614265330000)
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static const char *
line(const struct request *r, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < r->count; i++)
		if (strncmp(r->headers[i], name, len) == 0 &&
		    strncmp(r->headers[i] + len, ": ", 2) == 0)
			return r->headers[i] + len + 2;
	return "-";
}

static void
make(struct request *r, struct request_keys *k, const char *secrets)
{
	struct request_parts p = {
	    .id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
	    .attempt = 3,
	    .at_ms = AT_MS + 999,
	    .body = BODY,
	    .body_len = strlen(BODY),
	    .keys = k,
	};
	struct err e;

	*r = (struct request){0};
	assert_int_equal(0, request_keys_read(k, secrets, &e));
	assert_int_equal(0, request_make(r, &p, &e));
	request_keys_free(k);
}

static void
test_lines(void **state)
{
	struct request_keys k;
	struct request r;

	(void)state;
	make(&r, &k, OLD " 0");
	assert_int_equal(5, r.count);
	assert_string_equal("content-type: application/json", r.headers[0]);
	assert_string_equal(
	    "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek", r.headers[1]);
	assert_string_equal("webhook-timestamp: 1614265330", r.headers[2]);
	assert_string_equal("webhook-signature: " SIGNATURE, r.headers[3]);
	assert_string_equal("webhook-attempt: 3", r.headers[4]);
	request_free(&r);
}

static void
test_keys(void **state)
{
	struct request_keys k;
	struct request r;
	const char *value;

	(void)state;
	make(&r, &k, NEW " 0\n" OLD " 1614265331000");
	value = line(&r, "webhook-signature");
	assert_non_null(strchr(value, ' '));
	assert_string_equal(" " SIGNATURE, strchr(value, ' '));
	request_free(&r);
	/* one that has ended signs no more */
	make(&r, &k, NEW " 0\n" OLD " 1614265330999");
	assert_null(strchr(line(&r, "webhook-signature"), ' '));
	request_free(&r);
	make(&r, &k, NULL);
	assert_string_equal("-", line(&r, "webhook-signature"));
	request_free(&r);
}

static void
test_bad_key(void **state)
{
	struct request_keys k;
	struct err e;

	(void)state;
	assert_int_equal(1, request_keys_read(&k, "bad 0\n" OLD " 0", &e));
	assert_int_equal(1, k.count);
	assert_null(strstr(e.msg, "bad"));
	request_keys_free(&k);
}

static void
test_own(void **state)
{
	struct request_keys k = {0};
	struct request_parts p = {.id = "a",
	    .type = "order.paid",
	    .content_type = "text/plain",
	    .own = "x-a: 1\nx-b: 2",
	    .attempt = 1,
	    .body = "",
	    .keys = &k};
	struct request r = {0};
	struct err e;

	(void)state;
	assert_int_equal(0, request_make(&r, &p, &e));
	assert_string_equal("text/plain", line(&r, "content-type"));
	assert_string_equal("order.paid", line(&r, "webhook-event"));
	assert_string_equal("1", line(&r, "x-a"));
	assert_string_equal("2", line(&r, "x-b"));
	request_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_bad_key),
	    cmocka_unit_test(test_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
