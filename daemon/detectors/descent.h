/* How a loss came down, and how far it is above the lowest level that it had, as a fraction of the
 * way down (at least a fixed fraction of the lowest level). Levels are medians, so that single
 * losses do not count. A plain value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_DESCENT_H
#define FORESHOCK_DETECTORS_DESCENT_H

#include <stdbool.h>

#include "daemon/detectors/level.h"

#define DESCENT_STEPS 40.0 /* of a level */

struct descent {
    struct level level;
    bool begun;
    double start, lowest; /* levels; lowest: before the newest loss */
    double now;           /* the level; NaN: there is none yet */
    double noise;         /* mean step from one of the last losses to the next, without its sign */
    double last, steps;
};

/* Takes a finite loss; t increases. False while there is no level yet. */
bool descent_put(struct descent *descent, double t, double loss);

/* Of a level where the loss is now: above the lowest one. */
double descent_rise(const struct descent *descent);

/* What counts as the way down. 0: nothing came down. */
double descent_way(const struct descent *descent);

#endif
