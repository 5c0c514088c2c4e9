/* The training clock: steps weighed by the learning rate, so that growth is compared with the
 * training that was done and not with the steps that passed.
 *
 * While the learning rate first rises (the warm-up), a step counts as its learning rate. Once it
 * has stood for a quarter of the steps (CLOCK_PLATEAU at least), or been below for most of them,
 * the highest one so far becomes the ceiling, and a step counts min(learning rate, ceiling). So a
 * warm-up, a decay and a warm restart explain the growth that they cause. A learning rate that
 * goes on rising above the ceiling explains nothing, because that is a fault to be found; one that
 * was raised and then stands (for CLOCK_STAND steps and samples) is somebody's decision and the
 * new ceiling, up to CLOCK_RAISE times the old one. Without a learning rate every step counts the
 * same. A plain value: all zero is a clock that has not started. */
#ifndef FORESHOCK_DETECTORS_TRAINING_CLOCK_H
#define FORESHOCK_DETECTORS_TRAINING_CLOCK_H

#include <stdbool.h>
#include <stddef.h>

#define CLOCK_KEPT    512
#define CLOCK_RECENT  256
#define CLOCK_PLATEAU 50.0 /* steps */
#define CLOCK_STAND   20.0 /* steps */
#define CLOCK_STANDS  5    /* samples */
#define CLOCK_RAISE   4.0

/* For how many of t steps, `least` at least, the highest learning rate must not have risen to be a
 * plateau: a quarter where the lowest since then is still near it; where it has fallen, most of them,
 * for a warm-up may go on over the first cycles of a schedule. */
double training_clock_plateau_steps(double t, double lowest, double highest, double least);

struct training_clock {
    bool started;
    double t;                  /* steps since the attempt began, of the newest learning rate */
    double reading;            /* then */
    double rate;               /* of the newest step */
    double ceiling, ceiling_t; /* 0: not yet; when the first was found */
    double highest, highest_t; /* of the warm-up, or while above the ceiling; else 0 */
    double lowest;             /* since then */
    double above_t;            /* when it left the ceiling upwards */
    int stands;                /* samples near the highest since then */
    bool raised;               /* the ceiling was, by this highest */
    struct clock_entry {
        double t, reading;
    } recent[CLOCK_RECENT], kept[CLOCK_KEPT]; /* kept: at least 0.5 % of the steps apart */
    size_t recent_count, kept_count;          /* taken since the beginning */
};

/* Takes the learning rate of a step; t increases. One that is not finite or is negative is left
 * out. */
void training_clock_put(struct training_clock *clock, double t, double lr);

/* True if at t the learning rate that is told had no ceiling yet; it may have been told for later steps
 * already. */
bool training_clock_warms_up(const struct training_clock *clock, double t);

/* The share by which the clock moved on from `before` to t: ln(reading(t) / reading(before)), NaN
 * where that means nothing. Learning rates may have come for later steps already, up to
 * CLOCK_RECENT of them; the answer does not depend on it. */
double training_clock_moved(const struct training_clock *clock, double before, double t);

#endif
