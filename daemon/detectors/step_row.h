/* The figures of one step put together, in whatever order they come, as long as all come before
 * the next step's: a row is judged as soon as it is complete, else when the next step begins. A
 * plain value: all zero is one that waits for its first step. */
#ifndef FORESHOCK_DETECTORS_STEP_ROW_H
#define FORESHOCK_DETECTORS_STEP_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_ROW_FIGURES 3

struct step_row {
    bool begun, judged;
    int64_t step;
    double time;                      /* of the newest figure */
    double figures[STEP_ROW_FIGURES]; /* NaN: not there */
};

/* Takes figure `which` of `count` in all (2 or more). True if a row is to be judged now: *ready, of
 * this step or the one before. Figures of older steps are left out. */
bool step_row_put(struct step_row *row, size_t count, size_t which, int64_t step, double time,
    double value, struct step_row *ready);

#endif
