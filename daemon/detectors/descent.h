/* How a loss came down, and how far it is above the lowest level that it had, as a fraction of the
 * way down (at least a fixed fraction of the lowest level). Levels are medians, so that single
 * losses do not count.
 *
 * A plunge is a fall that no training explains: within two levels by more than a third of the lowest one, by more than
 * its noise, and by much more than it fell in the past. The lowest level forgets it: what comes
 * back from a plunge is compared with the level before. One that stays becomes the level in the end.
 *
 * A plain value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_DESCENT_H
#define FORESHOCK_DETECTORS_DESCENT_H

#include <stdbool.h>

#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"

#define DESCENT_STEPS 40.0 /* of a level */
#define DESCENT_LEAST 6    /* values of a level */
#define DESCENT_NOISE 7.0  /* times the noise: what is less is none */

struct descent {
    struct level level;
    bool begun;
    double start, lowest; /* levels; lowest: before the newest loss */
    double now;           /* the level; NaN: there is none yet */
    double noise;         /* mean step of the last losses about their slope, without its sign */
    struct level steps;   /* about it */
    double last, before;  /* losses */
    double losses;        /* how many there were */
    struct descent_mark {
        double t, lowest;
    } marks[2];           /* a level's steps apart at least, the older one first */
    struct history falls; /* of levels, from a mark to the level of now */
    bool plunged;
    double plunged_t;
};

/* Takes a finite loss; t increases. False while there is no level yet. */
bool descent_put(struct descent *descent, double t, double loss);

/* Of a level where the loss is now: above the lowest one. */
double descent_rise(const struct descent *descent);

/* What counts as the way down. 0: nothing came down. */
double descent_way(const struct descent *descent);

#endif
