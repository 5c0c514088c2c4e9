/* The sum of weighted steps, kept thinned; see training_clock.h. */
#include "daemon/detectors/training_clock.h"

#include <math.h>

#define SPACING 1.005

static void training_clock_keep(struct training_clock *clock)
{
    const struct clock_entry entry = {clock->t, clock->reading};
    clock->recent[clock->recent_count++ % TRAINING_CLOCK_RECENT] = entry;
    if (clock->kept_count > 0 &&
        clock->t < SPACING * clock->kept[(clock->kept_count - 1) % TRAINING_CLOCK_KEPT].t)
        return;
    clock->kept[clock->kept_count++ % TRAINING_CLOCK_KEPT] = entry;
}

void training_clock_put(struct training_clock *clock, double t, double lr)
{
    if (!isfinite(lr) || lr < 0)
        return;
    double steps = clock->started ? t - clock->t : t;
    clock->started = true;
    clock->t = t;
    lr_plateau_put(&clock->plateau, t, lr);
    clock->rate = clock->plateau.rate > 0 ? fmin(lr, clock->plateau.rate) : lr;
    clock->reading += steps * clock->rate;
    training_clock_keep(clock);
}

/* Between the two entries around t; before the first one that is there in proportion to t, after the
 * last one at the newest rate. */
static double reading_in(const struct training_clock *clock, const struct clock_entry *entries,
    size_t taken, size_t room, double t)
{
    struct clock_entry later = {0, 0};
    for (size_t back = 1; back <= taken && back <= room; back++) {
        struct clock_entry early = entries[(taken - back) % room];
        if (early.t <= t)
            return back == 1 ? early.reading + (t - early.t) * clock->rate
                             : early.reading + (later.reading - early.reading) * (t - early.t) /
                                                   (later.t - early.t);
        later = early;
    }
    return later.reading * t / later.t;
}

double training_clock_left(const struct training_clock *clock, double before, double t)
{
    if (clock->recent_count == 0 || clock->reading <= 0)
        return 1;
    size_t oldest = clock->recent_count < TRAINING_CLOCK_RECENT
                        ? 0
                        : clock->recent_count % TRAINING_CLOCK_RECENT;
    bool reached = clock->recent[oldest].t <= t;
    double then = reading_in(clock, clock->kept, clock->kept_count, TRAINING_CLOCK_KEPT, before);
    double now =
        reached ? reading_in(clock, clock->recent, clock->recent_count, TRAINING_CLOCK_RECENT, t)
                : reading_in(clock, clock->kept, clock->kept_count, TRAINING_CLOCK_KEPT, t);
    return now > then && then > 0 ? fmin(1, log(t / before) / log(now / then)) : 1;
}
