/* Tensors on their way to a block: which may come, which wait, which newer ones drive out, and how they end.
 *
 * A tensor is asked for (samples_begin), comes whole (samples_tensor) or is lost (samples_lost). Shards of weights wait in
 * gather.h for the others of their step; then items wait in their queue for a worker. Of two samples of one block that wait
 * the newer wins, unless a session of the older is lossless. Loop thread only. */
#ifndef FORESHOCK_RUNS_SAMPLES_H
#define FORESHOCK_RUNS_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/tensor.h"
#include "daemon/runs/gather.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/session.h"
#include "daemon/runs/workers.h"
#include "proto/wire.h"

struct samples {
    struct registry *registry;
    struct gathers gathers;
    struct workers workers;
    void (*memory_freed)(void *ctx); /* after each job */
    void *ctx;
};

/* The struct stays where it is until samples_free. */
void samples_init(
    struct samples *samples, struct registry *registry, void (*memory_freed)(void *ctx), void *ctx);

/* As ingest_ops has them. */
int samples_begin(
    struct session *session, const struct wire_tensor *header, struct wire_fault *fault);
void samples_tensor(struct samples *samples, struct session *session,
    const struct wire_tensor *header, struct tensor *tensor);
uint64_t samples_lost(struct samples *samples, struct session *session,
    const struct wire_tensor *header, bool sample);
bool samples_may_send(const struct samples *samples, const struct session *session, bool asks);

/* What waits of the run's shards is dropped: nobody sends the rest of it. */
void samples_drop_waiting(struct samples *samples, const struct run *run);

/* Nobody sends for the run any more: its blocks give back what they can. */
void samples_release_memory(struct samples *samples, const struct run *run);

/* Alignments that have waited too long for other ranks are closed, and shards for others dropped: both on the clock of
 * ingest/reading_clock.h, where it is `reading_ms`. Jobs begin for which the store has room again. */
void samples_tick(struct samples *samples, uint64_t reading_ms);

void samples_stop(struct samples *samples); /* no job begins any more; returns when all are done */
void samples_free(struct samples *samples); /* what waits; before the runs are freed */

#endif
