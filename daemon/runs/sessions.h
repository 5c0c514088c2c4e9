/* Sessions once they have come in (hello.h): they go back, go, and are lost; attempts and runs end with them. See
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

/* As ingest_ops has them. */
void sessions_welcomed(struct session *session);
void sessions_rewind(struct samples *samples, struct session *session, uint64_t step);
void sessions_dropped(struct session *session, uint64_t samples);
void sessions_bye(struct samples *samples, struct session *session);
void sessions_lost(struct samples *samples, struct session *session);
void sessions_seen(struct session *session);

/* The next attempt of the run begins; what waits of the one before is dropped. Its row is the caller's to publish. */
void sessions_begin_attempt(struct samples *samples, struct run *run);

/* A live session is over; its row is the caller's to publish. */
void sessions_leave_run(struct session *session, enum session_state to);

/* The session's row, with what the batch holds of its run. The batch is gone. */
void sessions_publish_row(struct session *session, struct store_batch *batch);

/* Each session that was live when the daemon stopped gets a lease. 0, or -1: memory is short. */
int sessions_expect(struct registry *registry, struct ingest *ingest);

/* No session has a peer any more: the ingest is about to close. */
void sessions_detach(struct registry *registry);

/* Ends a run that was lost, as if every process of it had said bye. false: the store does not take it. */
bool sessions_end_run(struct run *run);

/* Lets the clients know when the disk has become short. */
void sessions_watch_disk(struct registry *registry);

#endif
