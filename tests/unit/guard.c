/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "guard.h"

static bool
allows(const struct guard *g, const char *text)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};

	if (strchr(text, ':') == NULL) {
		assert_int_equal(1, inet_pton(AF_INET, text, &sin.sin_addr));
		return guard_allows(g, (struct sockaddr *)&sin);
	}
	assert_int_equal(1, inet_pton(AF_INET6, text, &sin6.sin6_addr));
	return guard_allows(g, (struct sockaddr *)&sin6);
}

static void
assert_judged(const char *list, bool expected, const char *const *addresses)
{
	struct guard g;
	struct err e = {0};

	if (guard_init(&g, list, &e) < 0)
		fail_msg("%s", e.msg);
	for (; *addresses != NULL; addresses++)
		if (allows(&g, *addresses) != expected)
			fail_msg("%s", *addresses);
	guard_free(&g);
}

static void
test_public(void **state)
{
	static const char *const public[] = {"1.1.1.1", "8.8.8.8",
	    "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
	    "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.0.1",
	    "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255",
	    "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255",
	    "203.0.114.0", "223.255.255.255", "168.63.129.15",
	    "2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888",
	    "2a00:1450::1", "3ffe::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
	    "2002:101:101::1", NULL};

	(void)state;
	assert_judged(NULL, true, public);
	assert_judged("", true, public);
}

static void
test_special(void **state)
{
	static const char *const special[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1",
	    "10.255.255.255", "100.64.0.0", "100.100.100.200",
	    "100.127.255.255", "127.0.0.1", "127.255.255.255",
	    "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
	    "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
	    "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7",
	    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	    "168.63.129.16", "::", "::1", "::7f00:1", "::ffff:127.0.0.1",
	    "::ffff:10.1.2.3", "::ffff:0:127.0.0.1", "64:ff9b::169.254.169.254",
	    "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:db8::1",
	    "2002:7f00:1::1", "2002:a9fe:a9fe::1", "3fff::1", "4000::1",
	    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
	    "ff02::1", NULL};

	(void)state;
	assert_judged(NULL, false, special);
}

static void
test_listed(void **state)
{
	static const char *const in[] = {"10.1.2.3", "127.0.0.1", "::1",
	    "fd00:1:2::3", "192.168.7.128", "192.168.7.255", "1.1.1.1",
	    "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "2002:a00:1::1", NULL};
	static const char *const out[] = {"127.0.0.2", "::2", "fd00:1:3::3",
	    "192.168.7.127", "172.16.0.1", "::ffff:127.0.0.2", NULL};

	(void)state;
	assert_judged(" 10.0.0.0/8,127.0.0.1 ::1,,fd00:1:2::/48\t"
		      "192.168.7.128/25, ",
	    true, in);
	assert_judged("10.0.0.0/8 127.0.0.1 ::1 fd00:1:2::/48 192.168.7.128/25",
	    false, out);
}

static void
test_families(void **state)
{
	static const char *const four[] = {
	    "127.0.0.1", "255.255.255.255", "::ffff:127.0.0.1", NULL};
	static const char *const six[] = {"::1", "fe80::1", "ff02::1", NULL};
	struct sockaddr sa = {.sa_family = AF_UNIX};
	struct guard g;

	(void)state;
	assert_judged("0.0.0.0/0", true, four);
	assert_judged("0.0.0.0/0", false, six);
	assert_judged("::/0", true, six);
	assert_judged("::/0", true, (const char *const[]){"1.1.1.1", NULL});
	assert_judged("::/0", false, (const char *const[]){"10.0.0.1", NULL});
	assert_int_equal(0, guard_init(&g, "0.0.0.0/0 ::/0", NULL));
	assert_false(guard_allows(&g, &sa));
	guard_free(&g);
}

static void
test_bad_lists(void **state)
{
	static const char *const bad[] = {"x", "10", "10.0.0.0/", "10.0.0.0/33",
	    "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x", "10.0.0.1/8",
	    "127.0.0.1/31", "10.0.0.0/0008", "::1/129", "::1/127", "fe80::1%lo",
	    "1.2.3.4.5", "1.2.3", "[::1]", "10.0.0.0/8/8", "localhost",
	    "10.0.0.0/8;::1", "::1, nonsense",
	    "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1", NULL};
	struct guard g;
	struct err e;

	(void)state;
	for (size_t i = 0; bad[i] != NULL; i++) {
		e.msg[0] = '\0';
		if (guard_init(&g, bad[i], &e) != -1)
			fail_msg("%s was taken", bad[i]);
		assert_true(e.msg[0] != '\0');
		assert_null(g.nets);
	}
	guard_init(&g, "::1 10.0.0.1/8", &e);
	assert_string_equal(
	    "10.0.0.1/8: bits are set beyond the prefix", e.msg);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public),
	    cmocka_unit_test(test_special),
	    cmocka_unit_test(test_listed),
	    cmocka_unit_test(test_families),
	    cmocka_unit_test(test_bad_lists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
