/* Which steps of a layer were whole: samples come at even intervals, so a few runs of such steps remember them all.
 *
 * Plain data that belongs to one thread at a time; all zero: none yet. */
#ifndef FORESHOCK_RUNS_RHYTHM_H
#define FORESHOCK_RUNS_RHYTHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RHYTHM_BEATS 16 /* so many changes of the interval are remembered */

/* The steps first, first + every, ... last. */
struct beat {
    int64_t first, last, every;
};

struct rhythm {
    struct beat beats[RHYTHM_BEATS]; /* by step */
    size_t count;
};

/* One more step, above all that are there. Beyond RHYTHM_BEATS the lowest are forgotten. */
void rhythm_add(struct rhythm *rhythm, int64_t step);

bool rhythm_has(const struct rhythm *rhythm, int64_t step);

#endif
