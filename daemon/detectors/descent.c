/* The way down of a loss; see descent.h. */
#include "daemon/detectors/descent.h"

#include <math.h>

#define LOWEST_SHARE 1.7    /* of its lowest level: the least way that counts as having come down */
#define NOISE_SCALE  0.683  /* makes it, of white noise, the mean step from one loss to the next */
#define PLUNGE_FROM  2000.0 /* steps: until then tasks are learned suddenly */
#define PLUNGE_SHARE (1.0 / 3) /* of the lowest level */
#define PLUNGE_FALLS 3.0       /* times what it fell in the past */
#define PLUNGE_STEPS 2000.0    /* and a share of the steps: then it is the level */
#define PLUNGE_TIME  0.2

/* From how far losses are off the line through the two before, so that a slope is no noise; the median, so that
 * jumps and spikes are none. */
static void noise_put(struct descent *descent, double t, double loss)
{
    if (descent->losses >= 2)
        level_put(
            &descent->steps, t, fabs(loss - 2 * descent->last + descent->before), DESCENT_STEPS);
    double step = level_median(&descent->steps, INFINITY, DESCENT_LEAST);
    descent->noise = isnan(step) ? 0 : NOISE_SCALE * step;
    descent->losses++;
    descent->before = descent->last;
    descent->last = loss;
}

/* What the level must fall by, from a mark, to be a plunge. */
static double plunge_least(const struct descent *descent, double t)
{
    const struct descent_mark *mark = &descent->marks[0];
    double past = history_largest(&descent->falls, PAST_FROM * t, PAST_TO * t, 1);
    double least = fmax(PLUNGE_SHARE * fabs(mark->lowest), DESCENT_NOISE * descent->noise);
    return isnan(past) ? INFINITY : fmax(least, PLUNGE_FALLS * past);
}

static void marks_put(struct descent *descent, double t)
{
    struct descent_mark *marks = descent->marks;
    if (marks[1].t > 0 && t < marks[1].t + DESCENT_STEPS)
        return;
    if (marks[1].t > 0)
        history_put(&descent->falls, t, marks[0].t > 0 ? marks[0].lowest - descent->now : 0);
    marks[0] = marks[1];
    marks[1] = (struct descent_mark){t, descent->lowest};
}

/* The lowest level follows, but for a plunge. */
static void lowest_put(struct descent *descent, double t)
{
    double below = descent->marks[0].lowest - descent->now;
    if (descent->plunged) {
        double depth = descent->lowest - descent->now;
        bool is_back = depth < PLUNGE_SHARE / 2 * fabs(descent->lowest);
        descent->plunged = !is_back && t < descent->plunged_t + fmax(PLUNGE_STEPS, PLUNGE_TIME * t);
        if (!is_back && !descent->plunged)
            descent->lowest = descent->now;
    } else if (t >= PLUNGE_FROM && descent->marks[0].t > 0 && below > plunge_least(descent, t)) {
        descent->plunged = true;
        descent->plunged_t = t;
        descent->lowest = descent->marks[0].lowest;
    }
}

bool descent_put(struct descent *descent, double t, double loss)
{
    noise_put(descent, t, loss);
    if (descent->begun && !descent->plunged)
        descent->lowest = fmin(descent->lowest, descent->now);
    level_put(&descent->level, t, loss, DESCENT_STEPS);
    descent->now = level_median(&descent->level, DESCENT_STEPS, DESCENT_LEAST);
    if (isnan(descent->now))
        return false;
    if (!descent->begun)
        descent->start = descent->lowest = descent->now;
    descent->begun = true;
    lowest_put(descent, t);
    if (!descent->plunged)
        marks_put(descent, t);
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
