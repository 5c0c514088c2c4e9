/* Queries for runs, layers, newest values, names of series and alerts; see reader.h for what all have in common. */
#ifndef FORESHOCK_STORE_READER_RUNS_H
#define FORESHOCK_STORE_READER_RUNS_H

#include "daemon/store/reader.h"

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

struct reader_alert {
    struct store_alert row;
    const char *run_key;
    double acknowledged_at; /* 0: not */
};
struct reader_alert_query {
    const char *run_key; /* this, and the next two: NULL: any */
    const enum alert_state *state;
    const enum alert_severity *severity;
    double since; /* started_at or resolved_at not before; 0: any */
    int64_t id;   /* 0: any */
    size_t limit; /* 0: none */
};
int reader_alerts(struct reader *, const struct reader_alert_query *,
    void (*each)(void *ctx, const struct reader_alert *), void *ctx); /* newest first */

#endif
