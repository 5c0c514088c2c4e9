/* The inside of runs: what the loop knows of each run. See runs.h. */
#ifndef FORESHOCK_RUNS_STATE_H
#define FORESHOCK_RUNS_STATE_H

#include <uthash.h>
#include <utlist.h>

#include "daemon/block/block.h"
#include "daemon/block/shards.h"
#include "daemon/core/limits.h"
#include "daemon/runs/rhythm.h"
#include "daemon/runs/runs.h"

struct run;
struct work_queue;
struct session;

struct layer {
    int64_t id;
    char *name, *role, *block_name; /* block_name "" for none */
    char dtype[16];
    uint64_t rows, cols, row_begin, row_end;
    bool transposed;
    struct work_queue *queue;
    struct block_member *member; /* of its block, which alone may look into it */
    uint32_t attempt;            /* that the four below are of */
    int64_t last_step[2]; /* newest step (of weights: that is whole), by wire_kind; -1: none */
    int64_t torn_step;    /* newest step of which shards were missing; -1: none */
    struct rhythm whole;  /* steps of weights that were whole since the daemon's start */
    struct partition partition;   /* of the attempt's senders */
    struct baseline_row baseline; /* as restored, or unsaved */
    bool has_baseline;
    bool unsaved, baseline_unsaved; /* the store has yet to get these rows */
    void *tracker;                  /* as restored, until the block has it */
    size_t tracker_size;
    uint32_t tracker_attempt;
    int64_t tracker_step;
    UT_hash_handle by_name, by_id;
};

/* One tensor on its way to the worker, or a layer that joins its block. Those of a sharded matrix go as one: the first one's work is theirs together. */
struct item {
    struct block_task task;
    struct work_queue *queue;
    struct session *session; /* NULL: the daemon's own work */
    struct item *others;     /* whose shards are in work.shards too */
    uint64_t sequence;       /* within the session */
    bool
        first; /* the first whole weights of its layer in the attempt: no newer ones replace a w(0) */
    struct item *prev, *next; /* in its gather, the block's queue, the worker's hand, or `others` */
    struct item *earlier, *later; /* in the session's list of what is not yet done */
};

/* A step of a layer whose shards have not all come. */
struct gather {
    struct layer *layer;
    int64_t step;
    struct shards *shards;
    struct item *items;           /* of the shards */
    struct item *activations;     /* that wait for the direction of these weights */
    uint64_t touched_ms;          /* when the last shard came, on the runs' clock */
    struct gather *prev, *next;   /* in the block */
    struct gather *older, *newer; /* in all runs, by touched_ms */
};

/* Layers that share a name of a block, or one layer alone, and what waits to be worked on of them. */
struct work_queue {
    struct run *run;
    char *name; /* "" for a layer alone */
    int64_t id; /* of the MLP block's row; 0: it is none */
    struct layer *roles[BLOCK_ROLES];
    struct block *block;
    struct item *items;
    size_t samples; /* of them, those that are not layers joining: these alone are no work */
    struct gather *gathers;
    bool unsaved;     /* the store has yet to get its row */
    bool ready, busy; /* waits for a worker; is with one */
    bool waiting;     /* an alignment is open for other ranks ... */
    uint64_t waiting_since_ms;
    uint32_t attempt;   /* that the two below are of */
    int64_t begun_step; /* of the newest sample that a worker took up; -1: none */
    int64_t lost_step;  /* of the newest sample of which a tensor was dropped; -1: none */
    UT_hash_handle by_name;
    struct work_queue *prev, *next; /* in the run */
    struct work_queue *ready_prev, *ready_next;
};

/* A layer as one session numbers it. */
struct numbered {
    uint32_t number;
    struct layer *layer;
    struct span span; /* of the weights that it sends */
    char dtype[16];   /* of them */
    int64_t last_step[2];
    uint32_t begun_attempt; /* of the tensor whose pieces are coming */
    UT_hash_handle hh;
};

/* The newest sample of a block that a session lost: however many tensors it costs, it counts once. */
struct loss {
    struct work_queue *queue;
    uint32_t attempt;
    int64_t step;
    UT_hash_handle hh;
};

/* A flush waits until everything that came before it is done. */
struct fence {
    uint64_t token, after; /* sequence of the last item before it */
    struct fence *prev, *next;
};

struct session {
    struct run *run;
    char *key, *client;
    uint32_t rank, world, attempt;
    bool open, lost, lossless;
    bool resumed;      /* it has said hello before: it may send again what is there already */
    bool unsaved;      /* the store has yet to get its row */
    struct peer *peer; /* NULL: not live */
    struct numbered *numbers;
    uint64_t sequence; /* of the newest item */
    struct item *undone;
    size_t gathering; /* of them, shards that wait for those of others */
    struct loss *losses;
    struct fence *fences;
    unsigned fences_flying;  /* handed to the store */
    struct waiting *backlog; /* scalars that the store has no room for */
    uint64_t client_dropped;
    UT_hash_handle hh; /* by key, in the run */
};

struct scalar {
    char name[FIGURE_METRIC_MAX];
    int64_t last_step;
    struct session *from;
    UT_hash_handle hh;
};

struct run {
    struct runs *runs;
    int64_t id;
    char *key, *name, *tags;
    const char *state; /* "running", "ended" or "lost" */
    uint32_t attempt;
    int64_t first_step, last_step; /* of the attempt; of the run. -1: none */
    double started_at, last_seen_at, attempt_started_at;
    double row_at; /* last_seen_at as the store has it */
    bool unsaved;  /* the store has yet to get rows of it */
    uint64_t dropped, undefined;
    int64_t owner; /* uid of who opened it, and nobody else joins; ORIGIN_UNKNOWN: anybody does */
    struct session *sessions;
    struct layer *layers;      /* by name */
    struct work_queue *named;  /* by name */
    struct work_queue *queues; /* all */
    struct scalar *scalars;
    UT_hash_handle by_key, by_id;
};

/* A worker's hand: the items of one sample. */
struct hand {
    uv_work_t work;
    struct runs *runs;
    struct work_queue *queue; /* NULL: free */
    struct item *items;
    struct findings findings;
    uint64_t since_ms;
};

struct runs {
    struct runs_options options;
    struct ingest *ingest;
    struct run *by_key, *by_id;
    struct layer *layers; /* all, by id; during restore only */
    struct work_queue *ready;
    struct gather *gathers; /* all, those longest untouched first */
    size_t backlog_bytes;   /* of all sessions */
    uint64_t clock_ms;      /* it stands still while the loop does */
    uint64_t tick_at_ms;
    struct hand hands[LIMIT_WORKERS];
    unsigned busy;
    bool stopping;
    bool disk_short;         /* as the clients were last told */
    uv_work_t trim;          /* gives freed memory back to the system ... */
    bool trim_due, trimming; /* ... once the blocks of a run that ended have come to rest */
    int64_t next_run, next_layer;
    uv_timer_t tick;
};

_Static_assert(FIGURE_METRIC_MAX == WIRE_SCALAR_NAME_MAX + 1, "every scalar's name is a metric");

double runs_now(void); /* seconds since 1970 */

/* run.c */
struct run *run_new(struct runs *runs, int64_t id, const char *key);
void run_free(struct run *run);
struct session *run_session(struct run *run, const char *key);
struct session *run_session_new(struct run *run, const char *key, const char *client);
struct layer *run_layer_new(struct run *run, const struct store_layer *row);
void run_layer_free(struct run *run, struct layer *layer);
struct work_queue *run_queue_for(struct run *run, const char *name); /* "" makes a new one */
/* The layer joins the block by way of its queue. `mlp_id` is not 0: with it the block becomes an MLP block of that id. */
int work_queue_add_layer(struct work_queue *queue, struct layer *layer, int64_t mlp_id);
enum block_role work_queue_role(const char *role);
/* Whether one more layer of this role makes an MLP block of it. */
bool work_queue_completes_mlp(const struct work_queue *queue, const char *role);
void item_free(struct item *item);     /* with all that it holds */
void run_tell_layers(struct run *run); /* to a new attempt's detectors */

/* rows.c: what the loop knows, as rows of a batch */
void rows_put_run(struct store_batch *batch, struct run *run);
void rows_put_attempt(struct store_batch *batch, const struct run *run);
void rows_put_session(struct store_batch *batch, const struct session *session);
void rows_put_layer(struct store_batch *batch, const struct run *run, const struct layer *layer);
void rows_put_block(struct store_batch *batch, const struct work_queue *queue);
/* false: the store had no room. The rows of the run and its newest attempt are then written again by rows_save, before anything else
 * of the run; what else the batch held is too if its `unsaved` is set. */
bool rows_publish(
    struct run *run, struct store_batch *batch, const struct figure *figures, size_t count);
void rows_save(struct run *run); /* of a run that has `unsaved` */

/* sessions.c */
int sessions_hello(void *ctx, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, void **session, uint32_t *attempt, struct wire_fault *fault);
void sessions_welcomed(void *ctx, void *session);
int sessions_rewind(void *ctx, void *session, uint64_t step, struct wire_fault *fault);
void sessions_dropped(void *ctx, void *session, uint64_t samples);
void sessions_bye(void *ctx, void *session);
void sessions_lost(void *ctx, void *session);
void sessions_seen(void *ctx, void *session);
void sessions_watch_disk(struct runs *runs); /* tells the clients when it has become short */
/* Whether the store takes what the session sends: what is lossless waits for a short disk too. */
bool sessions_has_room(const struct session *session);

/* layers.c */
int layers_declare(
    void *ctx, void *session, const struct wire_layer *layer, struct wire_fault *fault);
void layers_turn(struct layer *layer, uint32_t attempt); /* steps and shards count within it */
int layers_join(struct layer *layer, const struct span *span, enum wire_type about,
    struct wire_fault *fault); /* one more sender of the newest attempt */

/* scalars.c */
int scalars_log(
    void *ctx, void *session, const struct wire_scalars *scalars, struct wire_fault *fault);

/* backlog.c: scalars while the store has no room */
int backlog_scalars(
    void *ctx, void *session, const struct wire_scalars *scalars, struct wire_fault *fault);
void backlog_serve(struct runs *runs); /* the store may have room again */
void backlog_free(struct session *session);
void backlog_lose(struct session *session); /* a step of scalars is dropped, and counted */

/* gather.c: shards until their step is whole. Items and tensors that are given to it are its own. */
void gather_shard(struct numbered *numbered, struct item *item, struct tensor *tensor);
/* Whether that shard of the step has come: it waits, or the step is whole. */
bool gather_has(const struct layer *layer, int64_t step, const struct span *span);
/* Whether activations wait for weights of their step, or one before, that wait themselves; else they stay the caller's. */
bool gather_activations(struct layer *layer, struct item *item);
/* Whether there is room for what a session that is lossless, or `asks`, sends on, though its shards wait for those of others. Whom the longest waiting
 * step lacks has twice the room. */
bool gather_may_send(void *ctx, void *session, bool asks);
void gather_lose(struct work_queue *queue, int64_t step); /* a tensor of that sample is lost */
void gather_drop_all(struct run *run); /* nobody will send the rest of what waits */
void gather_expire(struct runs *runs);
void gather_free_all(struct runs *runs); /* tells nobody */

/* samples.c */
int samples_begin(
    void *ctx, void *session, const struct wire_tensor *header, struct wire_fault *fault);
void samples_tensor(
    void *ctx, void *session, const struct wire_tensor *header, struct tensor *tensor);
uint64_t samples_lost(void *ctx, void *session, const struct wire_tensor *header, bool whole);
void samples_flush(void *ctx, void *session, uint64_t token);
/* Of an item and its others: */
void samples_enqueue(struct item *item); /* for the workers, in the place of older ones */
void samples_done(struct item *item);    /* they are over: flushes of their sessions go on */
void samples_lose(struct item *item);    /* each of their sessions has lost a sample */
uint64_t samples_tensors(const struct item *item); /* how many were sent */
void samples_note_step(struct run *run, struct store_batch *batch, int64_t step);
void samples_rest(struct run *run); /* the blocks give back what they can */
void samples_close_waiting(struct runs *runs);

/* work.c: the workers' side of the queue */
void work_add(struct work_queue *queue, struct item *item);
void work_start(struct runs *runs); /* as many as there are workers and room in the store */
void work_stamp(struct runs *runs);
void fences_check(struct session *session);

#endif
