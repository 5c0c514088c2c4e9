/* See scalars.h. */
#include "daemon/runs/scalars.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/runs/rows.h"
#include "daemon/runs/run.h"
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

/* NEWEST: a step above all others, which the detectors judge. LATE: an older step, of a validation that took long or of a client
 * that sends again; the store keeps the point unless it has it. KNOWN: another rank was first. */
enum scalar_arrival { SCALAR_NEWEST, SCALAR_LATE, SCALAR_KNOWN };

static enum scalar_arrival note_arrival(
    struct session *session, struct scalar *scalar, int64_t step)
{
    if (step > scalar->last_step) {
        scalar->last_step = step;
        scalar->from = session;
        return SCALAR_NEWEST;
    }
    return step < scalar->last_step && scalar->from == session ? SCALAR_LATE : SCALAR_KNOWN;
}

static void fill_figure(struct figure *figure, const struct run *run, int64_t step, double value)
{
    figure->run = run->id;
    figure->layer = 0;
    figure->attempt = run->attempt.number;
    figure->step = step;
    figure->time = clock_wall();
    figure->value = value;
}

/* The figures of one step: all go into the batch, the newest go to the detectors too. */
struct scalar_figures {
    int64_t step;
    struct store_batch *batch;
    struct figure newest[WIRE_SCALARS_MAX];
    size_t newest_count, late_count;
};

/* Takes in one value. 0, or -1 and the fault: the run logs too many names. */
static int add_value(struct session *session, const struct wire_scalar *value,
    struct scalar_figures *figures, struct wire_fault *fault)
{
    struct run *run = session->run;
    struct figure *figure = &figures->newest[figures->newest_count];
    enum scalar_arrival arrival;
    struct scalar *scalar;

    snprintf(figure->metric, sizeof figure->metric, "%.*s", (int)value->name.len, value->name.ptr);
    scalar = scalar_for(run, figure->metric);
    if (!scalar)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_SCALARS, "values", "fewer names of scalars",
            "%s", figure->metric);
    arrival = note_arrival(session, scalar, figures->step);
    if (arrival == SCALAR_KNOWN)
        return 0;
    fill_figure(figure, run, figures->step, value->value);
    store_put_figure(figures->batch, figure);
    figures->newest_count += arrival == SCALAR_NEWEST;
    figures->late_count += arrival == SCALAR_LATE;
    return 0;
}

/* Figures of one step, published as one batch. */
static int log_scalars(
    struct session *session, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    struct run *run = session->run;
    struct scalar_figures figures;
    int rc = 0;

    if (session->attempt != run->attempt.number) {
        session_lose_scalars(session); /* of an attempt that another rank has ended */
        return 0;
    }
    figures.step = (int64_t)scalars->step;
    figures.newest_count = figures.late_count = 0;
    figures.batch = store_batch_new();
    for (size_t i = 0; i < scalars->values_count; i++)
        if (add_value(session, &scalars->values[i], &figures, fault) != 0)
            rc = -1;
    if (figures.newest_count + figures.late_count == 0) {
        store_batch_free(figures.batch);
        return rc;
    }
    stats_add(&run->registry->options->stats->figures_total, figures.late_count);
    rows_put_step(figures.batch, run, figures.step);
    if (!rows_publish(run, figures.batch, figures.newest, figures.newest_count))
        session_lose_scalars(session);
    return rc;
}

int scalars_take(
    struct session *session, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    if (!session->backlog.entries && session_has_room(session))
        return log_scalars(session, scalars, fault);
    if (!session->lossless || !backlog_put(&session->backlog, scalars, session->attempt))
        session_lose_scalars(session);
    return 0;
}

static void log_waiting(struct session *session, const struct backlog_entry *entry)
{
    struct wire_fault fault;

    if (entry->attempt != session->attempt)
        session_lose_scalars(session); /* of an attempt that the session has left since */
    else if (log_scalars(session, &entry->scalars, &fault) != 0 && session->peer)
        ingest_error(session->peer, &fault, false);
}

void scalars_serve(struct session *session)
{
    while (session->backlog.entries && session_has_room(session)) {
        log_waiting(session, session->backlog.entries);
        backlog_drop_first(&session->backlog);
    }
}
