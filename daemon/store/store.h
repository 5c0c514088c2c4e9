/* The store: one SQLite database in WAL mode, one writer thread, files of baselines beside it.
 *
 * Layout of the state directory: `lock` (flock: one daemon a directory), `foreshock.db`,
 * `baselines/<layer>-<attempt>-<step>.w0`. Writes are values handed over in batches; each batch is
 * committed whole, in order, in a transaction with others that wait (at once when a callback or an alert waits
 * or the last commit is half a second ago, else half a second after it). A batch is what one
 * event made: its figures and the alerts they changed become visible together, or not at all.
 * Points that the database has already are left as they are, so that a message sent twice counts
 * once. Rows that the schema refuses (no such run, a state that does not exist) are left out and
 * logged. When the disk refuses, what waits is kept and tried again. While the disk is short of room
 * (store_options.disk_free_min), figures and histograms are left out and counted, all else is
 * written. */
#ifndef FORESHOCK_STORE_STORE_H
#define FORESHOCK_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/alert_record.h"
#include "daemon/core/baseline_row.h"
#include "daemon/core/error.h"
#include "daemon/core/figure.h"
#include "daemon/core/run_state.h"
#include "daemon/core/session_state.h"
#include "daemon/core/stats.h"

#define STORE_QUEUE_MAX       16384                 /* batches that wait */
#define STORE_QUEUE_BYTES_MAX ((uint64_t)256 << 20) /* and their memory */
/* Of both, this share is for what cannot wait: results of work that is in hand, rows of runs and layers, alerts. */
#define STORE_QUEUE_RESERVE   16
#define STORE_NOTIFIERS_MAX   16

struct store;
struct store_batch;

/* Rows, as the loop knows them. Strings are copied by the functions that take them. */
struct store_run {
    int64_t id;
    const char *key, *name, *tags; /* tags: a JSON object */
    enum run_state state;          /* never RUN_NEW */
    uint32_t attempt;
    double started_at, last_seen_at;
    int64_t last_step; /* -1: none */
    uint64_t dropped, undefined;
    int64_t owner; /* uid; -1: unknown */
};

struct store_attempt {
    int64_t run;
    uint32_t number;
    int64_t first_step; /* -1: none */
    double started_at;
};

struct store_session {
    int64_t run;
    const char *key, *client;
    uint32_t attempt, rank, world;
    enum session_state state; /* never SESSION_NEW */
    uint64_t dropped;         /* samples that its client dropped, as it last said */
};

struct store_layer {
    int64_t id, run;
    const char *name, *kind, *role, *block, *dtype;
    uint64_t rows, cols;
    bool transposed;
};

/* An alert as its row says it; struct alert_record is how it comes in. */
struct store_alert {
    int64_t id, run;
    uint32_t attempt;
    enum alert_severity severity;
    enum alert_state state;
    const char *rule, *title, *summary;
    const char *layers, *evidence; /* JSON arrays */
    bool observed;
    int64_t started_step, last_step;
    double started_at, resolved_at; /* resolved_at 0: not yet */
    uint64_t revision; /* of the record that was put; 0: the row was read, or changed in place */
    bool recorded;     /* the row is committed */
    /* Silenced: now, or when it was resolved. Notified: it fired at some time while it was neither observed nor silenced;
     * always false in `store_sink.alert` of a new record. */
    bool silenced, notified;
};

/* Alerts of this run and rule notify nobody before `expires_at`: all of them (`layer` NULL), or those
 * of which each layer fits a silence that has a layer, and that are not about the run itself.
 * `run` and `layer`: a name, or a pattern of SQLite's GLOB. */
struct store_silence {
    int64_t id;                                           /* from store_new_silence_id */
    const char *run, *rule, *layer, *reason, *created_by; /* rule, layer NULL: any */
    double created_at, expires_at;
};

/* Who is notified of alerts: those of at least this severity, of these rules. */
struct store_notifier {
    const char *name, *kind; /* of another kind: another notifier, which begins anew */
    bool critical_only;
    const char *rules; /* ",nonfinite,run_lost,"; "": all */
    bool changed;      /* new, or with another receiver: what waits is due at once */
};

/* What became of a row of the outbox. `alert` is its text as it was sent. */
struct store_delivery {
    const char *notifier, *event, *alert;
    int64_t row, alert_id;
    enum store_outcome { STORE_DELIVERED, STORE_TRY_AGAIN, STORE_GIVEN_UP } outcome;
    double now, next_at; /* next_at: STORE_TRY_AGAIN only */
};

struct store_tracker {
    int64_t layer, step;
    uint32_t attempt;
    const void *state;
    size_t size;
};

/* What was committed, for those who hand it on. All pointers live for the call. `run_key` and
 * `layer` are names. */
struct store_committed_figure {
    const char *run_key, *layer, *metric; /* layer "": the run itself */
    const struct figure *figure;
};

/* Called on the writer thread after each commit. Must not block and must not call the store.
 * Members may be NULL. */
struct store_sink {
    void (*figures)(void *ctx, const struct store_committed_figure *figures, size_t count);
    void (*alert)(void *ctx, const char *run_key, const struct store_alert *alert);
    void (*run)(void *ctx, const struct store_run *run);
    void (*gone)(void *ctx, int64_t run); /* deleted, by store_put_delete_run or by retention */
    void *ctx;
};

struct store_options {
    const char *state_dir;
    /* Database and baselines together. The write-ahead log (up to 64 MiB) comes on top of it. */
    uint64_t retention_bytes;
    double retention_seconds; /* 0: no limit by age; counted from a run's last_seen_at */
    uint64_t disk_free_min;   /* below it figures and baselines are not stored (disk.h) */
    struct stats *stats;
    struct store_sink sink;
    /* Any thread; NULL: stderr. `error` false: routine, such as what retention removes. */
    void (*log)(void *log_ctx, bool error, const char *text);
    void *log_ctx;
};

/* Codes of store_open: they become the daemon's exit codes. */
enum { STORE_OK = 0, STORE_FAILED = -1, STORE_IN_USE = -2, STORE_UNUSABLE = -3 };

/* Takes the lock, opens or makes the database, migrates it, starts the writer thread. On failure
 * `error` says what, where and what was expected. Not for a loop that
 * already runs: it does I/O. */
int store_open(struct store **store, const struct store_options *options, struct error *error);

/* Commits what waits, stops the writer, closes everything. Safe on NULL. */
void store_close(struct store **store);

/* Everything that the loop must know again after a start, in this order of calls: all runs by
 * id; all attempts by run and number; all sessions that are open or of the newest attempts by
 * run; all layers by id; all baselines and all trackers by layer; the alerts that fire by id.
 * Call before the first batch. Reads on a connection of its own. */
struct store_catalog {
    void (*run)(void *ctx, const struct store_run *);
    void (*attempt)(void *ctx, const struct store_attempt *);
    void (*session)(void *ctx, const struct store_session *);
    void (*layer)(void *ctx, const struct store_layer *);
    void (*baseline)(void *ctx, const struct baseline_row *);
    void (*tracker)(void *ctx, const struct store_tracker *);
    void (*alert)(void *ctx, const struct store_alert *); /* those that fire */
    void *ctx;
};
int store_catalog(struct store *store, const struct store_catalog *visitor, struct error *error);
/* The highest ids ever given when the store was opened, deleted ones included; 0: none. */
int64_t store_last_run_id(const struct store *store);
int64_t store_last_layer_id(const struct store *store);

/* Whether notifiers were there when the store was opened. */
bool store_had_notifiers(const struct store *store);

int64_t store_new_silence_id(struct store *store); /* any thread */
/* In order, never given twice, not even after a kill that lost the row (alert_ids.h). Any thread. */
int64_t store_new_alert_id(struct store *store);
/* When the first silence ends, in seconds since 1970; INFINITY: none is there. Any thread. */
double store_next_expiry(struct store *store);

/* Figures of one attempt of a run whose metric is in `metrics` (a NULL-terminated list), in
 * order of step, to rebuild detectors. Any thread, also beside the writer; reads what is
 * committed. 0, or -1 and `error`. */
int store_replay(struct store *store, int64_t run, uint32_t attempt, const char *const *metrics,
    void (*figure)(void *ctx, const struct figure *), void *ctx, struct error *error);

/* A batch: made, filled and handed over by one thread. Filling copies. Memory that is short
 * makes the batch fail as a whole: store_submit then returns -1 and counts it. */
struct store_batch *store_batch_new(void);
void store_batch_free(
    struct store_batch *batch); /* only one that was not submitted; safe on NULL */
bool store_batch_is_empty(
    const struct store_batch *batch); /* no rows, no callback; false for NULL */
void store_put_run(struct store_batch *, const struct store_run *);         /* insert or update */
void store_put_attempt(struct store_batch *, const struct store_attempt *); /* insert or update */
void store_put_session(struct store_batch *, const struct store_session *); /* insert or update */
void store_put_layer(struct store_batch *, const struct store_layer *);     /* insert or update */
void store_put_figure(struct store_batch *, const struct figure *);       /* insert, unless there */
void store_put_histogram(struct store_batch *, const struct histogram *); /* insert, unless there */
void store_put_alert(struct store_batch *, const struct alert_record *); /* keeps acknowledged_at */
/* Resolves the alert in its row: whoever fired it is gone. */
void store_put_alert_end(struct store_batch *, int64_t alert, double time);
void store_put_baseline(struct store_batch *, const struct baseline_row *);
void store_put_tracker(struct store_batch *, const struct store_tracker *);
void store_put_delete_run(
    struct store_batch *, int64_t run); /* unseen at once; all that belongs to it goes in slices */
void store_put_ack(struct store_batch *, int64_t alert, double time);
/* A silence begins, ends early, or those end whose time has come. The alerts whose being silenced
 * changes by it go to the sink; those that may be notified again go into the outbox. */
void store_put_silence(struct store_batch *, const struct store_silence *);
void store_put_end_silence(struct store_batch *, int64_t silence);
void store_put_expire_silences(struct store_batch *, double now);
/* From here on each alert that is put also puts the notifications of these (at most
 * STORE_NOTIFIERS_MAX) into the outbox. Those that are not in the list go, with their rows; those that are new
 * begin with the alerts that fire now. */
void store_put_notifiers(
    struct store_batch *, const struct store_notifier *, size_t count, double now);
void store_put_delivery(struct store_batch *, const struct store_delivery *);
/* `done(ctx, ok)` on the writer thread, after the commit of this batch and so of all before it.
 * At most one a batch. */
void store_on_commit(struct store_batch *, void (*done)(void *ctx, bool ok), void *ctx);

/* Hands the batch over (it is no longer the caller's, whatever is returned). Any thread; never
 * waits for the disk. 0, or -1 when the queue is at its bound (STORE_QUEUE_MAX batches) or
 * memory was short: the batch is lost. Who can wait, or begins work whose result must not be lost,
 * asks store_has_room first: it keeps a share of the queue (STORE_QUEUE_RESERVE) for those who cannot. */
int store_submit(struct store *store, struct store_batch *batch);
bool store_has_room(struct store *store);
/* How long something has waited in the queue without a single commit; 0: nothing waits. Any thread. */
uint64_t store_stalled_ms(struct store *store);

/* Baseline files. Called by workers; each works on a file of its own. */
/* Writes the parts one after the other, row->bytes in all, to a temporary file, syncs, renames,
 * syncs the folder. 0 and row->checksum; BASELINE_NO_ROOM (nothing was tried: disk_free_min) or -1, and
 * `error`. The file counts once the row is committed; without, the next start removes it. The file of a row that was there before goes after that commit. */
int store_baseline_write(struct store *store, struct baseline_row *row,
    const struct baseline_part *parts, size_t count, struct error *error);
/* Maps a baseline read-only after its length and checksum were found right. NULL and `error`
 * (naming the file, what was found and what was expected) if it is missing or torn. Unmap with
 * store_baseline_unmap. */
const void *store_baseline_map(
    struct store *store, const struct baseline_row *row, struct error *error);
void store_baseline_unmap(const void *map, uint64_t bytes);

#endif
