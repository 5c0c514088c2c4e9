/* Steps remembered as runs of even intervals; see rhythm.h. */
#include "daemon/runs/rhythm.h"

#include <string.h>

/* Two steps make an interval, whatever it is. */
static bool extend(struct beat *beat, int64_t step)
{
    if (beat->first != beat->last && step != beat->last + beat->every)
        return false;
    beat->every = step - beat->last;
    beat->last = step;
    return true;
}

void rhythm_add(struct rhythm *rhythm, int64_t step)
{
    struct beat *beats = rhythm->beats;

    if (rhythm->count > 0 && extend(&beats[rhythm->count - 1], step))
        return;
    if (rhythm->count == RHYTHM_BEATS)
        memmove(beats, beats + 1, --rhythm->count * sizeof *beats);
    beats[rhythm->count++] = (struct beat){step, step, 1};
}

bool rhythm_has(const struct rhythm *rhythm, int64_t step)
{
    for (size_t i = 0; i < rhythm->count; i++) {
        const struct beat *beat = &rhythm->beats[i];

        if (step >= beat->first && step <= beat->last)
            return (step - beat->first) % beat->every == 0;
    }
    return false;
}
