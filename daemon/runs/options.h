/* What the room of the runs is given: its settings, and the functions through which it reaches those above it. */
#ifndef FORESHOCK_RUNS_OPTIONS_H
#define FORESHOCK_RUNS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/core/figure.h"
#include "daemon/core/mailbox.h"
#include "daemon/core/stats.h"
#include "daemon/store/store.h"
#include "proto/wire.h"

/* Where things go. */
struct runs_out {
    /* One event's rows and figures. The batch is the receiver's from now on. false: the store had no room, and it is lost. */
    bool (*publish)(void *ctx, int64_t run, struct store_batch *batch, const struct figure *figures,
        size_t count);
    /* A run or an attempt of it begins: its detectors start anew. */
    void (*attempt)(void *ctx, int64_t run, const char *key, uint32_t attempt);
    void (*begins)(void *ctx, int64_t run, int64_t step); /* the first step of the attempt */
    /* `role` "" for an MLP block, `block` "" for none. */
    void (*layer)(void *ctx, int64_t run, int64_t layer, const char *name, const char *role,
        const char *block);
    /* Alerts that no figure raises: a lease that ran out, a baseline that is damaged. `on` false: it is over. */
    void (*lost)(void *ctx, int64_t run, bool on, int64_t step, const char *text);
    void (*damaged)(void *ctx, int64_t run, int64_t layer, bool on, int64_t step, const char *text);
    /* Every session said bye, or the run was ended by hand: its alerts are over. */
    void (*ended)(void *ctx, int64_t run);
    void (*forget)(void *ctx, int64_t run);
    /* Calls `each` for each alert that fires, for a client that came back. */
    void (*firing)(void *ctx, int64_t run, void (*each)(void *each_ctx, const struct wire_alert *),
        void *each_ctx);
    void *ctx;
};

struct runs_options {
    uv_loop_t *loop;
    struct mailbox *mailbox;
    struct store *store;
    struct stats *stats;
    unsigned workers;
    uint64_t kept_bytes;
    size_t runs_max, layers_max;
    uint64_t memory_bytes; /* of shards that wait for others */
    double sample_deadline_seconds, shard_deadline_seconds;
    double target_residual;
    unsigned passes_small, passes_large;
    struct runs_out out;
};

#endif
