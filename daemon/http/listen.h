/* A listening TCP socket. Any thread. */
#ifndef FORESHOCK_HTTP_LISTEN_H
#define FORESHOCK_HTTP_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/error.h"

/* Binds a numeric IPv4 or IPv6 address; `*port` 0 picks a free one and is set to what was bound. A
 * non-blocking socket, or -1 and a text that names the address and the cause. */
int listen_tcp(const char *address, uint16_t *port, struct error *error);

#endif
