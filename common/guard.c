/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "guard.h"

/* What stands between the networks of a list. */
#define SPACE ", \t\n"

/* Text of the longest network, "/128" and NUL included. */
#define TEXT_MAX (INET6_ADDRSTRLEN + 4)

struct guard_net {
	int family;
	unsigned prefix;
	uint8_t addr[16]; /* the first 4 where the family is AF_INET */
};

/*
 * IANA's IPv4 Special-Purpose Address Registry, without the few in it that are
 * reachable globally, and multicast. One is not IANA's: at the last address,
 * public by its number, each virtual machine of Azure finds its host.
 */
static const struct {
	uint32_t addr;
	unsigned prefix;
} special4[] = {
    {0x00000000, 8},  /* 0.0.0.0: this network */
    {0x0a000000, 8},  /* 10.0.0.0: private */
    {0x64400000, 10}, /* 100.64.0.0: shared */
    {0x7f000000, 8},  /* 127.0.0.0: loopback */
    {0xa9fe0000, 16}, /* 169.254.0.0: link local */
    {0xac100000, 12}, /* 172.16.0.0: private */
    {0xc0000000, 24}, /* 192.0.0.0: protocol assignments */
    {0xc0000200, 24}, /* 192.0.2.0: documentation */
    {0xc0586300, 24}, /* 192.88.99.0: 6to4 relays, deprecated */
    {0xc0a80000, 16}, /* 192.168.0.0: private */
    {0xc6120000, 15}, /* 198.18.0.0: benchmarks */
    {0xc6336400, 24}, /* 198.51.100.0: documentation */
    {0xcb007100, 24}, /* 203.0.113.0: documentation */
    {0xe0000000, 4},  /* 224.0.0.0: multicast */
    {0xf0000000, 4},  /* 240.0.0.0: reserved, broadcast */
    {0xa83f8110, 32}, /* 168.63.129.16: Azure's host */
};

/* Of IPv6, 2000::/3 is global unicast, but for these in it. */
static const struct guard_net global6 = {AF_INET6, 3, {0x20}};
static const struct guard_net special6[] = {
    {AF_INET6, 23, {0x20, 0x01}},             /* 2001:: protocols, Teredo */
    {AF_INET6, 32, {0x20, 0x01, 0x0d, 0xb8}}, /* documentation */
    {AF_INET6, 20, {0x3f, 0xff}},             /* documentation */
};

/* Where an IPv6 address holds an IPv4 one, and at which byte. */
static const struct {
	struct guard_net net;
	size_t at;
} embedded[] = {
    {{AF_INET6, 96, {[10] = 0xff, 0xff}}, 12},      /* mapped */
    {{AF_INET6, 96, {0x00, 0x64, 0xff, 0x9b}}, 12}, /* NAT64 */
    {{AF_INET6, 16, {0x20, 0x02}}, 2},              /* 6to4 */
};

static const size_t special4_count = sizeof(special4) / sizeof(special4[0]);
static const size_t special6_count = sizeof(special6) / sizeof(special6[0]);
static const size_t embedded_count = sizeof(embedded) / sizeof(embedded[0]);

/* Whether the first bits of two addresses are the same. */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;
	size_t bytes = bits / 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static bool
net_has(const struct guard_net *net, int family, const uint8_t *addr)
{
	return net->family == family && same_bits(net->addr, addr, net->prefix);
}

/* The bits of an address after its first ones are all 0. */
static bool
is_clear_after(const uint8_t *addr, size_t len, unsigned bits)
{
	for (size_t i = bits; i < len * 8; i++)
		if ((addr[i / 8] & (0x80 >> (i % 8))) != 0)
			return false;
	return true;
}

/* Digits only, no more than max; text ends at its NUL. */
static bool
parse_prefix(const char *text, unsigned max, unsigned *prefix)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < 3 && text[i] >= '0' && text[i] <= '9'; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	*prefix = n;
	return i > 0 && text[i] == '\0' && n <= max;
}

/* Returns NULL, or what is wrong with it. */
static const char *
parse_net(const char *text, size_t len, struct guard_net *net)
{
	char buf[TEXT_MAX];
	size_t bytes;
	char *slash;

	if (len >= sizeof(buf))
		return "no network";
	memcpy(buf, text, len);
	buf[len] = '\0';
	slash = strchr(buf, '/');
	if (slash != NULL)
		*slash = '\0';
	net->family = strchr(buf, ':') == NULL ? AF_INET : AF_INET6;
	bytes = net->family == AF_INET ? 4 : 16;
	net->prefix = (unsigned)bytes * 8;
	if (inet_pton(net->family, buf, net->addr) != 1)
		return "no network";
	if (slash != NULL &&
	    !parse_prefix(slash + 1, net->prefix, &net->prefix))
		return "no prefix length";
	if (!is_clear_after(net->addr, bytes, net->prefix))
		return "bits are set beyond the prefix";
	return NULL;
}

static struct guard_net *
add_net(struct guard *g)
{
	struct guard_net *nets;

	nets = reallocarray(g->nets, g->count + 1, sizeof(*nets));
	if (nets == NULL)
		return NULL;
	g->nets = nets;
	memset(&nets[g->count], 0, sizeof(*nets));
	return &nets[g->count++];
}

int
guard_init(struct guard *g, const char *list, struct err *e)
{
	const char *p = list == NULL ? "" : list, *wrong;
	struct guard_net *net;
	size_t len;

	*g = (struct guard){0};
	for (p += strspn(p, SPACE); *p != '\0'; p += strspn(p, SPACE)) {
		len = strcspn(p, SPACE);
		net = add_net(g);
		wrong = net == NULL ? strerror(errno) : parse_net(p, len, net);
		if (wrong != NULL) {
			guard_free(g);
			return err_set(e, "%.*s: %s",
			    (int)(len < 64 ? len : 64), p, wrong);
		}
		p += len;
	}
	return 0;
}

static bool
is_listed(const struct guard *g, int family, const uint8_t *addr)
{
	for (size_t i = 0; i < g->count; i++)
		if (net_has(&g->nets[i], family, addr))
			return true;
	return false;
}

static bool
is_global4(const uint8_t *addr)
{
	for (size_t i = 0; i < special4_count; i++) {
		uint32_t net = htonl(special4[i].addr);

		if (same_bits(addr, (const uint8_t *)&net, special4[i].prefix))
			return false;
	}
	return true;
}

static bool
is_global6(const uint8_t *addr)
{
	if (!net_has(&global6, AF_INET6, addr))
		return false;
	for (size_t i = 0; i < special6_count; i++)
		if (net_has(&special6[i], AF_INET6, addr))
			return false;
	return true;
}

static bool
allows4(const struct guard *g, const uint8_t *addr)
{
	return is_listed(g, AF_INET, addr) || is_global4(addr);
}

static bool
allows6(const struct guard *g, const uint8_t *addr)
{
	if (is_listed(g, AF_INET6, addr))
		return true;
	for (size_t i = 0; i < embedded_count; i++)
		if (net_has(&embedded[i].net, AF_INET6, addr))
			return allows4(g, addr + embedded[i].at);
	return is_global6(addr);
}

bool
guard_allows(const struct guard *g, const struct sockaddr *sa)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&sin, sa, sizeof(sin));
		return allows4(g, (const uint8_t *)&sin.sin_addr);
	case AF_INET6:
		memcpy(&sin6, sa, sizeof(sin6));
		return allows6(g, sin6.sin6_addr.s6_addr);
	default:
		return false;
	}
}

void
guard_free(struct guard *g)
{
	free(g->nets);
	*g = (struct guard){0};
}
