/* Scalars that a training logs: figures of the run itself. The first rank that logs a scalar of a step is believed. */
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/state.h"
#include "proto/fault.h"

static struct scalar *scalar_for(struct run *run, const char name[FIGURE_METRIC_MAX])
{
    struct scalar *scalar;

    HASH_FIND_STR(run->scalars, name, scalar);
    if (scalar || HASH_COUNT(run->scalars) >= LIMIT_SCALAR_NAMES ||
        !(scalar = calloc(1, sizeof *scalar)))
        return scalar;
    memcpy(scalar->name, name, sizeof scalar->name);
    scalar->last_step = -1;
    HASH_ADD_STR(run->scalars, name, scalar);
    return scalar;
}

/* NEWEST: a step above all before, which the detectors judge. LATE: a validation that ends after its step, or what a client sends
 * again; the store keeps the point unless it has it. KNOWN: another rank was first. */
enum arrival { SCALAR_NEWEST, SCALAR_LATE, SCALAR_KNOWN };

static enum arrival arrive(struct session *session, struct scalar *scalar, int64_t step)
{
    if (step > scalar->last_step) {
        scalar->last_step = step;
        scalar->from = session;
        return SCALAR_NEWEST;
    }
    return step < scalar->last_step && scalar->from == session ? SCALAR_LATE : SCALAR_KNOWN;
}

static void fill(struct figure *figure, const struct run *run, int64_t step, double value)
{
    figure->run = run->id;
    figure->layer = 0;
    figure->attempt = run->attempt;
    figure->step = step;
    figure->time = runs_now();
    figure->value = value;
}

int scalars_log(
    void *ctx, void *known, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    struct session *session = known;
    struct run *run = session->run;
    struct figure newest[WIRE_SCALARS_MAX];
    struct store_batch *batch;
    size_t count = 0, late = 0;
    int rc = 0;

    (void)ctx;
    if (session->attempt != run->attempt) {
        backlog_lose(session); /* of an attempt that another rank has ended */
        return 0;
    }
    batch = store_batch_new();
    for (size_t i = 0; i < scalars->values_count; i++) {
        const struct wire_scalar *value = &scalars->values[i];
        struct figure *figure = &newest[count];
        struct scalar *scalar;
        enum arrival arrival;

        snprintf(
            figure->metric, sizeof figure->metric, "%.*s", (int)value->name.len, value->name.ptr);
        scalar = scalar_for(run, figure->metric);
        if (!scalar) {
            rc = fault_set(fault, WIRE_CODE_LIMIT, WIRE_SCALARS, "values", "fewer names of scalars",
                "%s", figure->metric);
            continue;
        }
        arrival = arrive(session, scalar, (int64_t)scalars->step);
        if (arrival == SCALAR_KNOWN)
            continue;
        fill(figure, run, (int64_t)scalars->step, value->value);
        store_put_figure(batch, figure);
        count += arrival == SCALAR_NEWEST;
        late += arrival == SCALAR_LATE;
    }
    if (count + late == 0) {
        store_batch_free(batch);
        return rc;
    }
    stats_add(&run->runs->options.stats->figures_total, late);
    samples_note_step(run, batch, (int64_t)scalars->step);
    if (!rows_publish(run, batch, newest, count))
        backlog_lose(session);
    return rc;
}
