/* Barriers: a flush is answered once everything that its session had sent before it is worked off and committed.
 *
 * A barrier waits in its session until no older item of the session is undone and no scalars of it wait; then it goes
 * through the store, whose commit answers it. Loop thread only. */
#ifndef FORESHOCK_RUNS_BARRIERS_H
#define FORESHOCK_RUNS_BARRIERS_H

#include <stdint.h>

#include "daemon/runs/session.h"

struct barrier {
    uint64_t token, after; /* sequence of the last item before it */
    struct barrier *prev, *next;
};

/* The session flushes. Not answered when memory is short: the client's flush times out. */
void barriers_add(struct session *session, uint64_t token);

/* Something of the session is done, or there may be room again: barriers that wait for nothing more go to the store. */
void barriers_check(struct session *session);

#endif
