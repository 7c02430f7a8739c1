/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A list of networks; whatever is taken must judge any address. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	char *list = malloc(size + 1);
	struct guard g;
	struct err e;

	if (list == NULL)
		return 0;
	memcpy(list, data, size);
	list[size] = '\0';
	if (guard_init(&g, list, &e) == 0) {
		if (size >= 16)
			memcpy(&sin6.sin6_addr, data, 16);
		if (size >= 4)
			memcpy(&sin.sin_addr, data, 4);
		guard_allows(&g, (struct sockaddr *)&sin);
		guard_allows(&g, (struct sockaddr *)&sin6);
		guard_free(&g);
	}
	free(list);
	return 0;
}
