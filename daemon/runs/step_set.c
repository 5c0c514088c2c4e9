/* See step_set.h. */
#include "daemon/runs/step_set.h"

#include <string.h>

/* Two steps make an interval, whatever it is. */
static bool extend(struct step_progression *progression, int64_t step)
{
    if (progression->first != progression->last && step != progression->last + progression->every)
        return false;
    progression->every = step - progression->last;
    progression->last = step;
    return true;
}

void step_set_add(struct step_set *set, int64_t step)
{
    struct step_progression *progressions = set->progressions;

    if (set->count > 0 && extend(&progressions[set->count - 1], step))
        return;
    if (set->count == STEP_SET_MAX)
        memmove(progressions, progressions + 1, --set->count * sizeof *progressions);
    progressions[set->count++] = (struct step_progression){step, step, 1};
}

bool step_set_has(const struct step_set *set, int64_t step)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct step_progression *progression = &set->progressions[i];

        if (step >= progression->first && step <= progression->last)
            return (step - progression->first) % progression->every == 0;
    }
    return false;
}
