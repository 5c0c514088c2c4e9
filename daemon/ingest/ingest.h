/* Ingest: the sockets, who is connected and for how long, and tensors put together from pieces under a memory budget.
 *
 * Ingest does not interpret messages; it passes them to `struct ingest_ops`. Loop thread only, unless said
 * otherwise. A peer stands for one session of a client; it lives from its hello (or ingest_expect) until its bye or the end of
 * its lease, across reconnects. A lease counts only time in which the daemon was reading. */
#ifndef FORESHOCK_INGEST_INGEST_H
#define FORESHOCK_INGEST_INGEST_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/core/error.h"
#include "daemon/core/stats.h"
#include "daemon/ingest/ops.h"

struct ingest;
struct peer;

struct ingest_options {
    const char *const *endpoints;
    size_t endpoint_count;
    uint64_t memory_bytes, tensor_bytes;
    double lease_seconds, heartbeat_seconds, sample_deadline_seconds;
    size_t sessions_max;
    struct stats *stats;
    struct ingest_ops ops;
};

/* Binds every endpoint (a control and a tensor socket each). NULL, and `error` says which could not be bound and why. */
struct ingest *ingest_new(
    uv_loop_t *loop, const struct ingest_options *options, struct error *error);

/* The n-th bound control endpoint, or NULL. */
const char *ingest_endpoint(const struct ingest *ingest, size_t n);

/* A session that was live when the daemon stopped: it gets a full lease to come back. NULL: memory is short. */
struct peer *ingest_expect(
    struct ingest *ingest, const char *run, const char *session_key, void *session);

/* Answers and pushes; silently nothing when the peer is not connected. */
void ingest_error(struct peer *peer, const struct wire_fault *fault, bool fatal);
/* The same for faults that come by the hundred: sent at most once a second, always counted. */
void ingest_error_seldom(struct peer *peer, const struct wire_fault *fault);
void ingest_flushed(struct peer *peer, uint64_t token);
void ingest_alert(struct peer *peer, const struct wire_alert *alert);

/* Whether somebody is still at the other end: false once the connection is closed or its process gone. After a start of
 * the daemon those who were connected before count as there for LIMIT_RETURN_MS. */
bool ingest_is_connected(struct peer *peer);

/* Who said the last hello of this peer. */
const struct origin *ingest_origin(const struct peer *peer);

/* Another session has taken this one's place: the client gets the fault, if it is connected, and the peer is gone. `ops` are not called. */
void ingest_displace(struct peer *peer, const struct wire_fault *fault);

/* Counts samples of this peer that the daemon dropped; the next pulse reports them. */
void ingest_count_dropped(struct peer *peer, uint64_t samples);

/* Memory was given back (stats->ingest_bytes fell): sessions that wait for room may get it. */
void ingest_room(struct ingest *ingest);

/* Time goes on: ends leases, serves who waits. The loop calls it each LIMIT_TICK_MS; a call that comes late is a stall, for
 * which nobody loses a lease. */
void ingest_tick(struct ingest *ingest);

/* Tells every client, closes the sockets, which go with the loop's next turn. `ops` are not called again. */
void ingest_close(struct ingest *ingest);

#endif
