/* A run: one training under one id, with its sessions, layers and work queues, as the loop knows it.
 *
 *     NEW ──hello──▶ RUNNING ──every session said bye──▶ ENDED
 *                     │  ▲                                │   ▲
 *    nobody is live,  │  ├─────hello: a new attempt───────┘   │
 *    and one is lost  │  │ hello                              │ ended by hand
 *                     ▼  │                                    │
 *                     LOST ───────────────────────────────────┘
 *
 * Loop thread only. */
#ifndef FORESHOCK_RUNS_RUN_H
#define FORESHOCK_RUNS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "daemon/core/figure.h"
#include "daemon/core/run_state.h"
#include "daemon/core/state_machine.h"
#include "daemon/runs/attempt.h"
#include "daemon/runs/layer.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/session.h"
#include "daemon/runs/work_queue.h"

extern const struct state_machine run_machine;

/* A name of a scalar that the run logs. */
struct scalar {
    char name[FIGURE_METRIC_MAX];
    int64_t last_step;
    struct session *from; /* who logged that step first */
    UT_hash_handle hh;
};

struct run {
    struct registry *registry;
    int64_t id;
    char *key, *name, *tags; /* tags: a JSON object */
    enum run_state state;
    struct attempt attempt; /* the newest */
    int64_t last_step;      /* of all attempts; -1: none */
    double started_at, last_seen_at;
    double row_at; /* last_seen_at as the store has it */
    bool unsaved;  /* the store has yet to get rows of it */
    uint64_t dropped, undefined;
    int64_t owner; /* uid of who opened it, and nobody else joins; ORIGIN_UNKNOWN: anybody does */
    struct session *sessions;
    struct run_layer *layers;  /* by name */
    struct work_queue *named;  /* by name */
    struct work_queue *queues; /* all */
    struct scalar *scalars;    /* of the attempt */
    UT_hash_handle by_key, by_id;
};

_Static_assert(FIGURE_METRIC_MAX == WIRE_SCALAR_NAME_MAX + 1, "every scalar's name is a metric");

/* NULL: memory is short. registry_add makes runs, registry_remove frees them. */
struct run *run_new(struct registry *registry, int64_t id, const char *key);
void run_free(struct run *run); /* with all that it has; no worker is with any of it */

/* Makes a move of the table above, and counts the running. false: the table does not have it; it is logged, and the state
 * stays. */
bool run_move(struct run *run, enum run_state to);

struct session *run_session(struct run *run, const char *key); /* or NULL */
bool run_has_live_session(const struct run *run);
bool run_has_lost_session(const struct run *run); /* of the newest attempt */
uint32_t run_live_ranks(const struct run *run);   /* of the newest attempt */

/* These are the run's from then on. NULL: memory is short. */
struct session *run_add_session(struct run *run, const char *key, const char *client);
struct run_layer *run_add_layer(struct run *run, const struct store_layer *row);
void run_remove_layer(struct run *run, struct run_layer *layer); /* one that has no queue yet */
struct work_queue *run_queue_for(struct run *run, const char *block); /* "": a new one */

void run_clear_scalars(struct run *run);

/* Whether work that is with a worker, or a barrier on its way through the store, still points into it. */
bool run_is_in_use(const struct run *run);

/* Announces every layer to the detectors of a new attempt. */
void run_announce_layers(const struct run *run);

#endif
