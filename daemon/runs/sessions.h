/* Sessions come, go, are lost and come back; runs and attempts begin and end with them. See docs/protocol.md, `hello`, and
 * docs/metrics.md, "Terms". Loop thread only. */
#ifndef FORESHOCK_RUNS_SESSIONS_H
#define FORESHOCK_RUNS_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ingest/ingest.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/run.h"
#include "daemon/runs/samples.h"
#include "daemon/runs/session.h"

/* As ingest_ops has them. `*session` NULL: not known by its peer. */
int sessions_hello(struct samples *samples, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, struct session **session, struct wire_fault *fault);
void sessions_welcomed(struct session *session);
void sessions_rewind(struct samples *samples, struct session *session, uint64_t step);
void sessions_dropped(struct session *session, uint64_t samples);
void sessions_bye(struct samples *samples, struct session *session);
void sessions_lost(struct samples *samples, struct session *session);
void sessions_seen(struct session *session);

/* Each session that was live when the daemon stopped gets a lease. 0, or -1: memory is short. */
int sessions_expect(struct registry *registry, struct ingest *ingest);

/* No session has a peer any more: the ingest is about to close. */
void sessions_detach(struct registry *registry);

/* Ends a run that was lost, as if every process of it had said bye. false: the store does not take it. */
bool sessions_end_run(struct run *run);

/* Lets the clients know when the disk has become short. */
void sessions_watch_disk(struct registry *registry);

#endif
