/* Whether the work on a request is still wanted. It is not once its deadline has passed, its client has left, or the
 * server stops. Belongs to the thread that works. */
#ifndef FORESHOCK_HTTP_CANCEL_H
#define FORESHOCK_HTTP_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/http/problem.h"

enum { CANCEL_LOOK_MS = 5 }; /* between two looks at the clock's deadline and the client */

struct cancel {
    const atomic_bool *stopping; /* of the server */
    int client; /* the socket, open while the work lasts; -1: finish even if the client leaves */
    unsigned limit_ms;
    uint64_t deadline_ms, look_ms;
    enum cancel_cause { CANCEL_NONE, CANCEL_LATE, CANCEL_LEFT, CANCEL_STOPPING } cause;
};

/* The work begins now. */
void cancel_begin(
    struct cancel *cancel, const atomic_bool *stopping, int client, unsigned limit_ms);

/* True, and a cause, from the moment that the work is not wanted any more. Cheap: for inner loops. `cancel` is a
 * struct cancel. */
bool cancel_due(void *cancel);

/* The problem that names the cause to the client (503). Returns -1. */
int cancel_problem(const struct cancel *cancel, struct problem *problem);

#endif
