/* Read-only queries on a connection of its own: what the HTTP threads use. A reader belongs to
 * one thread at a time.
 *
 * Every function steps its statement to the end (or to the caller's stop) and resets it before
 * it returns: no statement is open while a caller writes to the network. Strings live for the
 * callback only. Only committed data are seen, and no deleted run. A query that takes longer
 * than READER_LIMIT_MS, or that its watch ends, is stopped: READER_FAILED. */
#ifndef FORESHOCK_STORE_READER_H
#define FORESHOCK_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/store.h"

#define READER_LIMIT_MS 2000

struct reader;

/* 0, or -1 and `err` (STORE_ERROR_MAX bytes). The store must have been opened once before. */
int reader_open(struct reader **reader, const char *state_dir, char *err);
void reader_close(struct reader **reader); /* safe on NULL */

/* From here on `stop` is asked every few milliseconds of a query whether it shall end, and READER_LIMIT_MS does not
 * count. NULL: as it was before. */
void reader_watch(struct reader *reader, bool (*stop)(void *ctx), void *ctx);

/* All functions below: 0 good, READER_NONE when the run (attempt, layer, alert) is not there,
 * READER_FAILED otherwise (`reader_error` tells). */
enum { READER_OK = 0, READER_NONE = 1, READER_FAILED = -1 };
const char *reader_error(const struct reader *reader);

struct reader_run {
    struct store_run row;
    uint64_t layers, alerts_firing, sessions_open; /* layers: without blocks */
};
int reader_runs(struct reader *, void (*each)(void *ctx, const struct reader_run *),
    void *ctx); /* newest first */
int reader_run(struct reader *, const char *key, void (*each)(void *ctx, const struct reader_run *),
    void *ctx);

int reader_layers(
    struct reader *, int64_t run, void (*each)(void *ctx, const struct store_layer *), void *ctx);

/* The newest value of every series of the newest attempt of a run, ordered by layer id then
 * metric. `layer` "": the run. */
struct reader_last {
    int64_t layer_id;
    const char *layer, *metric;
    int64_t step;
    double time, value; /* NaN if it was */
};
int reader_last_values(
    struct reader *, int64_t run, void (*each)(void *ctx, const struct reader_last *), void *ctx);

/* Series that exist in a run, to expand patterns and to tell an unknown name from an empty one. Ordered by layer id,
 * metric, attempt. */
struct reader_name {
    uint32_t attempt;
    int64_t layer_id;           /* 0: the run */
    const char *layer, *metric; /* layer "": the run */
};
int reader_series_names(
    struct reader *, int64_t run, void (*each)(void *ctx, const struct reader_name *), void *ctx);

/* One series, bucketed: buckets of equal width in steps over [from, to] ∩ the data, on one grid
 * of at most `points` for all attempts. With `attempt` 0 the newest attempt that has a point
 * answers at each step (an earlier attempt's points end where a later one's begin); a result is
 * then cut into one per attempt, oldest first, and the bucket in which one ends and the next
 * begins is in both. `count` is of all points, `nonfinite` of the NaN and infinities among them;
 * min, mean, max, last are of the finite ones and NaN where there is none. Empty buckets are
 * left out. `step` and `time` are of the bucket's last point. READER_NONE when the run has no
 * such series; no call when it has no point in the range. */
struct reader_bucket {
    int64_t step;
    double time, min, mean, max, last;
    uint64_t nonfinite, count;
};
struct reader_series_query {
    int64_t run, layer; /* layer id; 0: the run */
    const char *metric;
    int64_t from, to; /* inclusive */
    uint32_t attempt; /* 0: newest at each step */
    size_t points;    /* >= 1 */
};
int reader_series(struct reader *, const struct reader_series_query *,
    void (*series)(void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count),
    void *ctx);

/* Histograms summed into at most `points` columns. Same rules. */
struct reader_column {
    int64_t first_step, last_step;
    double time;
    uint64_t counts[HISTOGRAM_BINS];
};
int reader_histogram(struct reader *, const struct reader_series_query *,
    void (*columns)(void *ctx, uint32_t attempt, const struct reader_column *columns, size_t count),
    void *ctx);

struct reader_alert {
    struct store_alert row;
    const char *run_key;
    double acknowledged_at; /* 0: not */
};
struct reader_alert_query {
    const char *run_key, *state, *severity; /* NULL: any */
    double since;                           /* started_at or resolved_at not before; 0: any */
    int64_t id;                             /* 0: any */
    size_t limit;                           /* 0: none */
};
int reader_alerts(struct reader *, const struct reader_alert_query *,
    void (*each)(void *ctx, const struct reader_alert *), void *ctx); /* newest first */

/* Silences, the first to end first; `id` 0: all, else READER_NONE when it is not there. */
int reader_silences(
    struct reader *, int64_t id, void (*each)(void *ctx, const struct store_silence *), void *ctx);

struct reader_notifier {
    const char *name;
    uint64_t delivered, failed, dropped, retries; /* since it is in the configuration */
    uint64_t waiting;                             /* rows of the outbox */
};
int reader_notifiers(
    struct reader *, void (*each)(void *ctx, const struct reader_notifier *), void *ctx);

/* What a notifier has to deliver next: of the first rows of all lanes the one that is due first.
 * READER_NONE: nothing waits. */
struct reader_due {
    int64_t row, alert_id;
    const char *key;     /* of the notifier */
    const char *event;   /* firing, updated, resolved */
    const char *alert;   /* as it was then: a JSON object with the members of the API's alert, but
                            attempt, state, observed and those of acknowledging and silencing */
    const char *noticed; /* as it was last told to fire; "": it was not */
    unsigned tries;
    double next_at; /* 0: at once */
};
int reader_due(struct reader *, const char *notifier,
    void (*each)(void *ctx, const struct reader_due *), void *ctx);

/* Alerts that fire and that the receiver of a notifier was told of, as they were told, by id: those
 * above `after`, at most `limit`. */
struct reader_notice {
    int64_t alert_id;
    const char *alert; /* as in reader_due */
};
int reader_notices(struct reader *, const char *notifier, int64_t after, size_t limit,
    void (*each)(void *ctx, const struct reader_notice *), void *ctx);

#endif
