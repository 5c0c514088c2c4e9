/* A hello: a session comes in or comes back, and with it a run and an attempt may begin. See docs/protocol.md, `hello`, and
 * docs/metrics.md, "Terms". Loop thread only. */
#ifndef FORESHOCK_RUNS_HELLO_H
#define FORESHOCK_RUNS_HELLO_H

#include "daemon/ingest/ingest.h"
#include "daemon/runs/samples.h"
#include "daemon/runs/session.h"

/* As ingest_ops has it. `*session` NULL: not known by its peer. On 0 `*session` is live; -1: it may not come in, or memory is
 * short, and `*fault` tells the client. */
int hello_receive(struct samples *samples, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, struct session **session, struct wire_fault *fault);

#endif
