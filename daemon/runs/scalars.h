/* Scalars that a training logs: figures of the run itself. The first rank that logs a scalar of a step is believed.
 *
 * While the store has no room, those of a lossless session wait in its backlog, and with them the answers to its flushes: the
 * client keeps its own copies and sends no more than it may. Those of others are dropped and counted. Loop thread only. */
#ifndef FORESHOCK_RUNS_SCALARS_H
#define FORESHOCK_RUNS_SCALARS_H

#include "daemon/runs/session.h"
#include "proto/wire.h"

/* 0, or -1 and the fault. */
int scalars_take(
    struct session *session, const struct wire_scalars *scalars, struct wire_fault *fault);

/* The store may have room again for what waits of the session. */
void scalars_serve(struct session *session);

#endif
