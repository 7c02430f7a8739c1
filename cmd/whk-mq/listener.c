/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/listener.h>

#include "listener.h"

static int
write_host(int fd, char host[LISTENER_HOST])
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	char name[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&sa, len, name, sizeof(name), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -1;
	snprintf(host, LISTENER_HOST,
	    sa.ss_family == AF_INET6 ? "[%.200s]:%s" : "%.200s:%s", name, port);
	return 0;
}

static struct evconnlistener *
listen_at(struct event_base *base, const struct addrinfo *ai,
    char host[LISTENER_HOST])
{
	struct evconnlistener *l;
	int on = 1, fd;

	l = evconnlistener_new_bind(base, NULL, NULL,
	    LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
	    SOMAXCONN, ai->ai_addr, (int)ai->ai_addrlen);
	if (l == NULL)
		return NULL;
	fd = evconnlistener_get_fd(l);
	/* The sockets that are accepted inherit it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (write_host(fd, host) == 0)
		return l;
	evconnlistener_free(l);
	return NULL;
}

struct evconnlistener *
listener_new(struct event_base *base, const char *address, uint16_t port,
    char host[LISTENER_HOST], struct err *e)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	struct evconnlistener *l = NULL;
	char service[8];
	int error;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	error = getaddrinfo(address, service, &hints, &list);
	if (error != 0) {
		err_set(e, "%s: %s", address, gai_strerror(error));
		return NULL;
	}
	for (struct addrinfo *ai = list; l == NULL && ai != NULL;
	     ai = ai->ai_next)
		l = listen_at(base, ai, host);
	if (l == NULL)
		err_set(e, "%s port %u: %s", address, (unsigned)port,
		    strerror(errno));
	freeaddrinfo(list);
	return l;
}
