/* A session: one process of a training, from its hello to its bye or the end of its lease, and what it has sent.
 *
 *     NEW ──hello──▶ LIVE ──bye, or displaced──▶ CLOSED
 *                    │  ▲                        │    ▲
 *                    │  ├─────────hello──────────┘    │
 *      lease ran out │  │ hello                       │ its run is ended by hand
 *                    ▼  │                             │
 *                    LOST ────────────────────────────┘
 *
 * Loop thread only. */
#ifndef FORESHOCK_RUNS_SESSION_H
#define FORESHOCK_RUNS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "daemon/block/span.h"
#include "daemon/core/session_state.h"
#include "daemon/core/state_machine.h"
#include "daemon/ingest/ingest.h"
#include "daemon/runs/backlog.h"

struct barrier;
struct item;
struct run;
struct run_layer;
struct work_queue;

extern const struct state_machine session_machine;

/* A layer as one session numbers it. */
struct numbered_layer {
    uint32_t number;
    struct run_layer *layer;
    struct span span;       /* of the weights that it sends */
    char dtype[16];         /* of them */
    int64_t last_step[2];   /* by wire_kind; -1: none */
    uint32_t begun_attempt; /* of the tensor whose pieces are coming */
    UT_hash_handle hh;
};

/* The newest sample of a block that a session lost: however many tensors it costs, it counts once. */
struct lost_sample {
    struct work_queue *queue;
    uint32_t attempt;
    int64_t step;
    UT_hash_handle hh;
};

struct session {
    struct run *run;
    char *key, *client;
    enum session_state state;
    uint32_t rank, world, attempt;
    bool lossless;
    bool resumed;      /* it has said hello before: it may send again what is there already */
    bool unsaved;      /* the store has yet to get its row */
    struct peer *peer; /* of a LIVE one; NULL too until the ingest is attached, and once it stops */
    struct numbered_layer *numbers;
    uint64_t sequence;   /* of the newest item */
    struct item *undone; /* in order of sequence */
    size_t gathering;    /* of them, shards that wait for those of others */
    struct lost_sample *lost_samples;
    struct barrier *barriers; /* flushes that wait */
    unsigned barriers_flying; /* handed to the store */
    struct backlog backlog;   /* scalars that the store has no room for */
    uint64_t client_dropped;
    UT_hash_handle hh; /* by key, in the run */
};

/* NULL: memory is short. `run` need not know it. */
struct session *session_new(struct run *run, const char *key, const char *client);
void session_free(struct session *session);

/* Makes a move of the table above. false: the table does not have it; it is logged, and the state stays. */
bool session_move(struct session *session, enum session_state to);

struct numbered_layer *session_number(struct session *session, uint32_t number); /* or NULL */

/* From now on it sends for the run's newest attempt: its steps count from the beginning. */
void session_join_newest(struct session *session);

/* Whether the store takes what it sends: what is lossless waits for a short disk too. */
bool session_has_room(const struct session *session);

/* A tensor of that sample is lost; the first of a sample counts. 1 if this one does, else 0. */
uint64_t session_count_loss(struct session *session, struct work_queue *queue, int64_t step);

/* The same, and its client learns the count. */
void session_lose_sample(struct session *session, struct work_queue *queue, int64_t step);

/* A step of scalars is dropped, and counted. */
void session_lose_scalars(struct session *session);

#endif
