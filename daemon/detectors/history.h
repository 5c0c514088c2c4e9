/* The past of one figure in bounded memory: its values kept thinned, so that any share of the steps
 * taken so far can be looked back to, however long the run is and however often it is sampled.
 *
 * Entries are at least 1 % of the steps apart; each holds the largest and the newest value that
 * came in its stretch. 256 of them reach back to 0.08 t; where samples are rarer than 1 %, further.
 * A plain value: all zero is an empty one. */
#ifndef FORESHOCK_DETECTORS_HISTORY_H
#define FORESHOCK_DETECTORS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#define HISTORY_ENTRIES 256

/* The past that detectors compare with, in shares of the steps taken. */
#define PAST_FROM  0.4
#define PAST_TO    0.8
#define PAST_LEAST 3 /* entries of a history */

struct history {
    size_t count, next;
    struct history_entry {
        double t; /* steps since the attempt began, of the first value of the stretch */
        double largest, newest;
    } entries[HISTORY_ENTRIES];
};

/* Takes a value; `t` does not decrease, `value` is finite. */
void history_put(struct history *history, double t, double value);

/* The largest, or the median, of what came in `from` <= t < `to`; NaN when fewer than `least`
 * entries lie there. */
double history_largest(const struct history *history, double from, double to, size_t least);
double history_median(const struct history *history, double from, double to, size_t least);

/* The second largest of what came in that stretch: reached by nature, and not once by accident. NaN
 * when fewer than two entries lie there. */
double history_second_largest(const struct history *history, double from, double to);

#endif
