/* The way down of a loss; see descent.h. */
#include "daemon/detectors/descent.h"

#include <math.h>

#define LEVEL_LEAST  6    /* values */
#define LOWEST_SHARE 1.7  /* of its lowest level: the least way that counts as having come down */
#define NOISE_MEMORY 50.0 /* losses */
#define NOISE_FIRST  6    /* losses before the noise is known well enough to be cut off by */
#define NOISE_CLIP   3.0  /* times the noise that one step may count: a jump is none */

static void noise_put(struct descent *descent, double loss)
{
    if (descent->level.count > 0) {
        double step = fabs(loss - descent->last);
        if (descent->steps >= NOISE_FIRST && descent->noise > 0)
            step = fmin(step, NOISE_CLIP * descent->noise);
        descent->steps = fmin(descent->steps + 1, NOISE_MEMORY);
        descent->noise += (step - descent->noise) / descent->steps;
    }
    descent->last = loss;
}

bool descent_put(struct descent *descent, double t, double loss)
{
    noise_put(descent, loss);
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
