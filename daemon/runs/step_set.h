/* A set of steps. Samples come at even intervals, so that a few arithmetic progressions hold them all.
 *
 * Plain data that belongs to one thread at a time; all zero: empty. */
#ifndef FORESHOCK_RUNS_STEP_SET_H
#define FORESHOCK_RUNS_STEP_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_SET_MAX 16 /* progressions, and so changes of the interval */

/* The steps first, first + every, ... last. */
struct step_progression {
    int64_t first, last, every;
};

struct step_set {
    struct step_progression progressions[STEP_SET_MAX]; /* by step */
    size_t count;
};

/* One more step, above all that are there. Beyond STEP_SET_MAX the lowest are forgotten. */
void step_set_add(struct step_set *set, int64_t step);

bool step_set_has(const struct step_set *set, int64_t step);

#endif
