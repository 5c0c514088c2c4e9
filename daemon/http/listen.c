/* Binds the HTTP port. */
#include "daemon/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t parse_address(const char *text, uint16_t port, union address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        return sizeof address->v4;
    }
    if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        return sizeof address->v6;
    }
    return 0;
}

static int bind_and_listen(int fd, const union address *address, socklen_t size, uint16_t *port)
{
    int on = 1;
    union address bound = {0};
    socklen_t bound_size = sizeof bound;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on))
        return -1;
    if (address->any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
        return -1;
    if (bind(fd, &address->any, size) || listen(fd, BACKLOG) ||
        getsockname(fd, &bound.any, &bound_size))
        return -1;
    *port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    return 0;
}

int listen_tcp(const char *address, uint16_t *port, struct error *error)
{
    union address where;
    socklen_t size = parse_address(address, *port, &where);

    if (!size) {
        return error_set(
            error, "HTTP address \"%s\": expected a numeric IPv4 or IPv6 address", address);
    }
    int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_and_listen(fd, &where, size, port)) {
        error_set(error, "HTTP address %s, port %u: %s", address, (unsigned)*port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}
