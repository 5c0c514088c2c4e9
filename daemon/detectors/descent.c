/* The way down of a loss; see descent.h. */
#include "daemon/detectors/descent.h"

#include <math.h>

#define LEVEL_LEAST  6   /* values */
#define LOWEST_SHARE 1.7 /* of its lowest level: the least way that counts as having come down */
#define RESUMED_WAY  0.3 /* the least way of a resumed attempt, in the units of the loss */
#define PEAK_TIMES   2   /* entries of the history that reach a height that is one by nature */
#define NOISE_MEMORY 50.0
#define NOISE_FIRST  6   /* steps before the noise is known well enough to be cut off by */
#define NOISE_CLIP   3.0 /* times the noise that one step may count */

/* The mean step at first, then one that forgets and that a jump can't spoil. */
static void noise_put(struct descent *descent, double loss)
{
    double step = fabs(loss - descent->last);
    if (descent->steps >= NOISE_FIRST && descent->noise > 0)
        step = fmin(step, NOISE_CLIP * descent->noise);
    descent->steps = fmin(descent->steps + 1, NOISE_MEMORY);
    descent->noise += (step - descent->noise) / descent->steps;
}

bool descent_put(struct descent *descent, double t, double loss)
{
    if (descent->level.count > 0)
        noise_put(descent, loss);
    descent->last = loss;
    if (descent->begun)
        descent->lowest = fmin(descent->lowest, descent->now);
    level_put(&descent->level, t, loss, DESCENT_STEPS);
    descent->now = level_median(&descent->level, DESCENT_STEPS, LEVEL_LEAST);
    if (isnan(descent->now))
        return false;
    if (!descent->begun)
        descent->start = descent->lowest = descent->now;
    descent->begun = true;
    history_put(&descent->peaks, t, loss - descent->now);
    return true;
}

double descent_rise(const struct descent *descent)
{
    return descent->now - descent->lowest;
}

double descent_peak(const struct descent *descent, double t)
{
    return fmax(0, history_reached(&descent->peaks, PAST_FROM * t, PAST_TO * t, PEAK_TIMES));
}

double descent_way(const struct descent *descent, double noise, bool resumed)
{
    double least = fmax(LOWEST_SHARE * fabs(descent->lowest), noise * descent->noise);
    if (resumed)
        least = fmax(least, RESUMED_WAY);
    return fmax(descent->start - descent->lowest, least);
}
