/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sign.h"

/* The message that the reference libraries of Standard Webhooks test with. */
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME 1614265330
#define BODY "{\"test\": 2432232314}"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define V1 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SEED "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
#define V1A                                                                    \
	"v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqta"    \
	"iHeYGb7KaaBRdM5WqyeFiL8Ag=="
/* The public key that belongs to SEED, computed with another library. */
#define PUBLIC "ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
/* Both halves of the private key. */
#define BOTH                                                                   \
	"VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllmU3h6Dt1JKqLSahf2"         \
	"FBSTeius6i4rdBVBKUlrbjxz+A=="

static struct sign_key *
key_of(const char *text)
{
	struct err e = {0};
	struct sign_key *key = sign_key_new(text, &e);

	if (key == NULL)
		fail_msg("%s", e.msg);
	return key;
}

static void
assert_signs(const char *secret, const char *expected)
{
	char out[SIGN_TEXT_MAX];
	struct sign_key *key = key_of(secret);

	/* Twice: the prepared context must begin anew. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(0,
		    sign_message(key, ID, TIME, BODY, strlen(BODY), out, NULL));
		assert_string_equal(expected, out);
	}
	sign_key_free(key);
}

static void
test_vectors(void **state)
{
	(void)state;
	assert_signs(SECRET, V1);
	assert_signs("whsk_" SEED, V1A);
	assert_signs("whsk_" BOTH, V1A);
}

static bool
verifies(const char *secret, const char *header)
{
	struct sign_key *key = key_of(secret);
	bool ok = sign_verify(key, ID, TIME, BODY, strlen(BODY), header);

	sign_key_free(key);
	return ok;
}

static void
test_verify(void **state)
{
	(void)state;
	assert_true(verifies(SECRET, V1));
	assert_true(verifies("whsk_" SEED, V1A));
	assert_true(verifies("whpk_" PUBLIC, V1A));
	assert_true(verifies(SECRET, V1A " v2,abc= junk  v1, " V1 " "));
	assert_true(verifies("whpk_" PUBLIC, V1 " " V1A));
	assert_false(verifies(SECRET, ""));
	assert_false(verifies(SECRET, " "));
	assert_false(verifies(SECRET, V1A));
	assert_false(verifies("whpk_" PUBLIC, V1));
	assert_false(verifies(SECRET, V1 "x"));
	assert_false(verifies(SECRET, "V1,g0hM9SsE"));
	assert_false(verifies(
	    SECRET, "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="));
	assert_false(verifies("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", V1));
}

static void
test_other_message(void **state)
{
	struct sign_key *key = key_of(SECRET), *public = key_of("whpk_" PUBLIC);

	(void)state;
	assert_false(sign_verify(key, ID "x", TIME, BODY, strlen(BODY), V1));
	assert_false(sign_verify(key, ID, TIME + 1, BODY, strlen(BODY), V1));
	assert_false(sign_verify(key, ID, TIME, BODY, strlen(BODY) - 1, V1));
	assert_false(sign_verify(public, ID, TIME, BODY " ", 20, V1A "="));
	assert_false(
	    sign_verify(public, ID, TIME + 1, BODY, strlen(BODY), V1A));
	assert_false(sign_verify(key, "", 0, NULL, 0, V1));
	sign_key_free(key);
	sign_key_free(public);
}

static void
test_bad_secrets(void **state)
{
	static const char *const bad[] = {"", "whsec_",
	    "MfKQ9r8GKYqrTwjUPD8ILPZ", "whsec",
	    "whsec_c2hvcnQ=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
	    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
	    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
	    "whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
	    "whsec_====MfKQ9r8GKYqrTwjUPD8ILPZIo2La", "WHSEC_" SEED,
	    "whpk_" SEED SEED, "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	    "whsk_" /* a public half that is not the seed's */
	    "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllURVNUU0lHTklOR0tFWURP"
	    "Tk9UVVNFVEhJU0ZPUkFOWQ=="};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		assert_null(sign_key_new(bad[i], &e));
		assert_true(strncmp(e.msg, "secret: ", 8) == 0);
		if (strlen(bad[i]) > 6)
			assert_null(strstr(e.msg, bad[i] + 6));
	}
	sign_key_free(NULL);
}

static void
test_public_cannot_sign(void **state)
{
	struct sign_key *key = key_of("whpk_" PUBLIC);
	char out[SIGN_TEXT_MAX];
	struct err e = {0};

	(void)state;
	assert_int_equal(-1, sign_message(key, ID, TIME, BODY, 1, out, &e));
	assert_string_equal("a public key cannot sign", e.msg);
	sign_key_free(key);
}

static void
test_make(void **state)
{
	char one[SIGN_SECRET_MAX], two[SIGN_SECRET_MAX], out[SIGN_TEXT_MAX];
	struct sign_key *key;

	(void)state;
	assert_int_equal(0, sign_make(one, NULL));
	assert_int_equal(0, sign_make(two, NULL));
	assert_string_not_equal(one, two);
	assert_int_equal(6 + 32, strlen(one));
	key = key_of(one);
	assert_int_equal(0, sign_message(key, "a", 1, "", 0, out, NULL));
	assert_true(sign_verify(key, "a", 1, NULL, 0, out));
	sign_key_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_other_message),
	    cmocka_unit_test(test_bad_secrets),
	    cmocka_unit_test(test_public_cannot_sign),
	    cmocka_unit_test(test_make),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
