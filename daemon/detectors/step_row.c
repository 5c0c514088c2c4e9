/* Figures of one step; see step_row.h. */
#include "daemon/detectors/step_row.h"

#include <math.h>

static void begin(struct step_row *row, int64_t step, double time)
{
    *row = (struct step_row){.begun = true, .step = step, .time = time};
    for (size_t i = 0; i < STEP_ROW_FIGURES; i++)
        row->figures[i] = NAN;
}

static bool is_complete(const struct step_row *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(row->figures[i]))
            return false;
    return true;
}

bool step_row_put(struct step_row *row, size_t count, size_t which, int64_t step, double time,
    double value, struct step_row *ready)
{
    bool leaves = row->begun && !row->judged && step > row->step;
    if (row->begun && step < row->step)
        return false;
    if (leaves)
        *ready = *row;
    if (!row->begun || step > row->step)
        begin(row, step, time);
    row->figures[which] = value;
    row->time = fmax(row->time, time);
    if (leaves || row->judged || !is_complete(row, count))
        return leaves;
    row->judged = true;
    *ready = *row;
    return true;
}
