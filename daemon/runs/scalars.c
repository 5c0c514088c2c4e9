/* Scalars that a training logs: figures of the run itself. The first rank that tells a scalar of a step is believed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fault.h"
#include "daemon/runs/state.h"

static struct scalar *scalar_for(struct run *run, const char name[RECORD_METRIC_MAX])
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

/* 1: a figure that is new; 0: one that is there already; -1: refused. */
static int judge(
    struct session *session, struct scalar *scalar, uint64_t step, struct wire_fault *fault)
{
    if ((int64_t)step > scalar->last_step) {
        scalar->last_step = (int64_t)step;
        scalar->from = session;
        return 1;
    }
    if ((int64_t)step == scalar->last_step || scalar->from != session || session->resumed)
        return 0;
    char text[96];

    snprintf(text, sizeof text, "at least %" PRId64 " for `%.40s`, or a rewind", scalar->last_step,
        scalar->name);
    return fault_set(fault, WIRE_CODE_STEP_BACKWARDS, WIRE_SCALARS, "step", text, "%" PRIu64, step);
}

int scalars_log(
    void *ctx, void *known, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    struct session *session = known;
    struct run *run = session->run;
    struct figure figures[WIRE_SCALARS_MAX];
    struct store_batch *batch;
    size_t count = 0;
    int rc = 0;

    (void)ctx;
    if (session->attempt != run->attempt)
        return 0; /* of an attempt that another rank has ended */
    for (size_t i = 0; i < scalars->values_count; i++) {
        const struct wire_scalar *value = &scalars->values[i];
        struct figure *figure = &figures[count];
        struct scalar *scalar;
        int verdict;

        snprintf(
            figure->metric, sizeof figure->metric, "%.*s", (int)value->name.len, value->name.ptr);
        scalar = scalar_for(run, figure->metric);
        if (!scalar) {
            rc = fault_set(fault, WIRE_CODE_LIMIT, WIRE_SCALARS, "values", "fewer names of scalars",
                "%s", figure->metric);
            continue;
        }
        verdict = judge(session, scalar, scalars->step, fault);
        if (verdict < 0)
            rc = -1;
        if (verdict <= 0)
            continue;
        figure->run = run->id;
        figure->layer = 0;
        figure->attempt = run->attempt;
        figure->step = (int64_t)scalars->step;
        figure->time = runs_now();
        figure->value = value->value;
        count++;
    }
    if (count == 0)
        return rc;
    batch = store_batch_new();
    samples_note_step(run, batch, (int64_t)scalars->step);
    for (size_t i = 0; i < count; i++)
        store_put_figure(batch, &figures[i]);
    rows_publish(run, batch, figures, count);
    return rc;
}
