/* The way down of a loss; see descent.h. */
#include "daemon/detectors/descent.h"

#include <math.h>

#define LEVEL_LEAST  6   /* values */
#define LOWEST_SHARE 1.7 /* of its lowest level: the least way that counts as having come down */

bool descent_put(struct descent *descent, double t, double loss)
{
    if (descent->begun)
        descent->lowest = fmin(descent->lowest, descent->now);
    level_put(&descent->level, t, loss, DESCENT_STEPS);
    descent->now = level_median(&descent->level, DESCENT_STEPS, LEVEL_LEAST);
    if (isnan(descent->now))
        return false;
    if (!descent->begun)
        descent->start = descent->lowest = descent->now;
    descent->begun = true;
    return true;
}

double descent_rise(const struct descent *descent)
{
    return descent->now - descent->lowest;
}

double descent_way(const struct descent *descent)
{
    return fmax(descent->start - descent->lowest, LOWEST_SHARE * fabs(descent->lowest));
}
