/* How a loss came down, and how far it is above the lowest level that it had: in shares of the way
 * down, which counts as a share of its lowest level and so many times its noise at least. Levels are
 * medians, so that single losses do not count; how high those went in the past is told beside it. A
 * plain value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_DESCENT_H
#define FORESHOCK_DETECTORS_DESCENT_H

#include <stdbool.h>

#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"

#define DESCENT_STEPS 40.0 /* of a level */

struct descent {
    struct level level;
    bool begun;
    double start, lowest; /* levels; lowest: before the newest loss */
    double now;           /* the level; NaN: there is none yet */
    double last;          /* loss */
    double noise; /* mean step from one loss to the next, in magnitude; a jump does not spoil it */
    double steps; /* that it is the mean of */
    struct history peaks; /* of single losses, above the level of then */
};

/* Takes a finite loss; t increases. False while there is no level yet. */
bool descent_put(struct descent *descent, double t, double loss);

/* Of a level where the loss is now: above the lowest one. */
double descent_rise(const struct descent *descent);

/* How far single losses of the past went above the level of then, more than once; 0: not known yet. */
double descent_peak(const struct descent *descent, double t);

/* What counts as the way down; `noise`: so many times the noise is the least. 0: nothing came down.
 * `resumed`: its beginning was not seen, so that a loss that is next to nothing may be at the end of a
 * long way. */
double descent_way(const struct descent *descent, double noise, bool resumed);

#endif
