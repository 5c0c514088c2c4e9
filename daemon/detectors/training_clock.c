/* The sum of weighed steps, kept thinned; see clock.h. */
#include "daemon/detectors/training_clock.h"

#include <math.h>

#define SPACING      1.005
#define STANDS_SHARE 0.25
#define FALLEN_SHARE 0.7
#define STANDING     0.9  /* of the highest: near it */
#define LEAP_MAX     10.0 /* of the warm-up from one sample to the next: more is a slip of the pen */

double training_clock_plateau_steps(double t, double lowest, double highest, double least)
{
    return fmax(least, (lowest >= STANDING * highest ? STANDS_SHARE : FALLEN_SHARE) * t);
}

static void keep(struct training_clock *clock)
{
    const struct clock_entry entry = {clock->t, clock->reading};
    clock->recent[clock->recent_count++ % CLOCK_RECENT] = entry;
    if (clock->kept_count > 0 &&
        clock->t < SPACING * clock->kept[(clock->kept_count - 1) % CLOCK_KEPT].t)
        return;
    clock->kept[clock->kept_count++ % CLOCK_KEPT] = entry;
}

static void note_highest(struct training_clock *clock, double lr)
{
    clock->lowest = lr > clock->highest ? lr : fmin(clock->lowest, lr);
    if (clock->ceiling > 0 && lr <= clock->ceiling) {
        clock->highest = 0;
    } else if (lr > clock->highest) {
        if (clock->highest <= 0)
            clock->above_t = clock->t;
        clock->highest = lr;
        clock->highest_t = clock->t;
        clock->stands = 0;
        clock->raised = false;
    } else if (lr >= STANDING * clock->highest) {
        clock->stands++;
    }
}

/* The end of the warm-up, or a learning rate that was raised and stands: the steps since then count
 * in full after all. */
static void find_ceiling(struct training_clock *clock)
{
    double stood = clock->t - clock->highest_t;
    if (clock->ceiling <= 0) {
        if (stood >=
            training_clock_plateau_steps(clock->t, clock->lowest, clock->highest, CLOCK_PLATEAU)) {
            clock->ceiling = clock->highest;
            clock->ceiling_t = clock->t;
        }
        return;
    }
    if (clock->highest <= 0 || clock->raised || stood < CLOCK_STAND || clock->stands < CLOCK_STANDS)
        return;
    double ceiling = fmin(clock->highest, CLOCK_RAISE * clock->ceiling);
    clock->reading += (ceiling - clock->ceiling) * (clock->t - clock->above_t);
    clock->ceiling = ceiling;
    clock->raised = true;
}

void training_clock_put(struct training_clock *clock, double t, double lr)
{
    if (!isfinite(lr) || lr < 0)
        return;
    double steps = clock->started ? t - clock->t : t;
    clock->started = true;
    clock->t = t;
    if (clock->ceiling <= 0 && clock->highest > 0)
        lr = fmin(lr, LEAP_MAX * clock->highest);
    note_highest(clock, lr);
    clock->rate = clock->ceiling > 0 ? fmin(lr, clock->ceiling) : lr;
    clock->reading += steps * clock->rate;
    find_ceiling(clock);
    keep(clock);
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

bool training_clock_warms_up(const struct training_clock *clock, double t)
{
    return clock->started && (clock->ceiling <= 0 || t < clock->ceiling_t);
}

double training_clock_moved(const struct training_clock *clock, double before, double t)
{
    if (clock->recent_count == 0 || clock->reading <= 0)
        return log(t / before);
    size_t oldest = clock->recent_count < CLOCK_RECENT ? 0 : clock->recent_count % CLOCK_RECENT;
    bool reached = clock->recent[oldest].t <= t;
    double then = reading_in(clock, clock->kept, clock->kept_count, CLOCK_KEPT, before);
    double now = reached ? reading_in(clock, clock->recent, clock->recent_count, CLOCK_RECENT, t)
                         : reading_in(clock, clock->kept, clock->kept_count, CLOCK_KEPT, t);
    return now > then && then > 0 ? log(now / then) : NAN;
}
