/* The level of a noisy scalar over its last steps: its newest values in a ring, at most
 * LEVEL_VALUES of them, thinned where the training logs every step. A plain value: all zero is an
 * empty one. */
#ifndef FORESHOCK_DETECTORS_LEVEL_H
#define FORESHOCK_DETECTORS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

#define LEVEL_VALUES 32

struct level {
    size_t count, next;
    struct {
        double t, value;
    } values[LEVEL_VALUES];
};

/* Takes a finite value; t increases. False if it was thinned out: values that are closer than
 * `span` / LEVEL_VALUES steps to the one before are left out. */
bool level_put(struct level *level, double t, double value, double span);

/* Mean, median and lowest of the values newer than `span` steps before the newest one, or of the `least`
 * newest where fewer are; NaN while there are fewer at all. */
double level_mean(const struct level *level, double span, size_t least);
double level_median(const struct level *level, double span, size_t least);
double level_lowest(const struct level *level, double span, size_t least);

#endif
