/* Who may ask: the rules against other web pages in a user's browser and against other users of the
 * machine.
 *
 * Pure. Headers are NULL where the request has none. */
#ifndef FORESHOCK_HTTP_GUARD_H
#define FORESHOCK_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/http/problem.h"

enum guard_need {
    GUARD_OPEN,   /* only the Host is checked */
    GUARD_READ,   /* the token, where one is configured */
    GUARD_CHANGE, /* the admin token, JSON, no foreign origin */
};

struct guard {
    const char *const *hosts; /* allowed beside the loopback names and `address` */
    size_t hosts_count;
    const char *address;
    const char *token; /* NULL: reading is free */
    const char *admin_token;
};

struct guard_headers {
    const char *host, *origin, *authorization, *content_type;
};

/* 0, or -1 and a problem: 421 (Host), 401 (no or a wrong token), 403 (a token that may only read; a
 * foreign Origin), 415. */
int guard_check(const struct guard *guard, enum guard_need need,
    const struct guard_headers *headers, struct problem *problem);

bool guard_host(const struct guard *guard, const char *host);
bool guard_bearer(const char *authorization,
    const char *token); /* in a time that tells nothing of the token's bytes */
bool guard_origin(
    const char *origin, const char *host); /* none, or the page that this host served */
bool guard_json(const char *content_type);

#endif
