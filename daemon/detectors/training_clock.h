/* The training clock: steps weighted by their learning rate, so that growth is compared with the
 * training that was done and not with the steps that passed. Warm-ups, decays and warm restarts
 * explain the growth that they cause. A learning rate counts up to its plateau (lr_plateau.h): one
 * that goes on rising explains nothing, because that is a fault to be found. Without a learning rate
 * every step counts the same. A plain value: all zero is a clock that has not started. */
#ifndef FORESHOCK_DETECTORS_TRAINING_CLOCK_H
#define FORESHOCK_DETECTORS_TRAINING_CLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/detectors/lr_plateau.h"

#define TRAINING_CLOCK_KEPT   512
#define TRAINING_CLOCK_RECENT 256

struct training_clock {
    bool started;
    double t;       /* steps since the attempt began, of the newest learning rate */
    double reading; /* then */
    double rate;    /* of the newest step */
    struct lr_plateau plateau;
    struct clock_entry {
        double t, reading;
    } recent[TRAINING_CLOCK_RECENT], kept[TRAINING_CLOCK_KEPT]; /* kept: 0.5 % of the steps apart */
    size_t recent_count, kept_count;                            /* taken since the beginning */
};

/* Takes the learning rate of a step; t increases. One that is not finite or is negative is left
 * out. */
void training_clock_put(struct training_clock *clock, double t, double lr);

/* The share of an elasticity from `before` to t that the clock leaves: the same growth by the clock
 * over that by the steps, 1 at most, because the clock explains growth and never magnifies it.
 * Learning rates may have come for later steps already, up to TRAINING_CLOCK_RECENT of them; the
 * answer does not depend on it. */
double training_clock_left(const struct training_clock *clock, double before, double t);

#endif
