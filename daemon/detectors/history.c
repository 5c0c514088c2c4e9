/* A ring of thinned values; see history.h. */
#include "daemon/detectors/history.h"

#include <math.h>

#include "daemon/detectors/order.h"

#define SPACING 1.01 /* times the steps of the entry before */

static const struct history_entry *entry(const struct history *history, size_t back)
{
    return &history->entries[(history->next + HISTORY_ENTRIES - 1 - back) % HISTORY_ENTRIES];
}

void history_put(struct history *history, double t, double value)
{
    struct history_entry *last =
        &history->entries[(history->next + HISTORY_ENTRIES - 1) % HISTORY_ENTRIES];
    if (history->count > 0 && t < SPACING * last->t) {
        last->largest = fmax(last->largest, value);
        last->newest = value;
        return;
    }
    history->entries[history->next] = (struct history_entry){t, value, value};
    history->next = (history->next + 1) % HISTORY_ENTRIES;
    if (history->count < HISTORY_ENTRIES)
        history->count++;
}

double history_largest(const struct history *history, double from, double to, size_t least)
{
    double largest = -INFINITY;
    size_t found = 0;
    for (size_t back = 0; back < history->count && entry(history, back)->t >= from; back++)
        if (entry(history, back)->t < to) {
            largest = fmax(largest, entry(history, back)->largest);
            found++;
        }
    return found >= least && found > 0 ? largest : NAN;
}

double history_second_largest(const struct history *history, double from, double to)
{
    double first = -INFINITY, second = -INFINITY;
    for (size_t back = 0; back < history->count && entry(history, back)->t >= from; back++)
        if (entry(history, back)->t < to) {
            second = fmax(second, fmin(first, entry(history, back)->largest));
            first = fmax(first, entry(history, back)->largest);
        }
    return isfinite(second) ? second : NAN;
}

double history_median(const struct history *history, double from, double to, size_t least)
{
    double values[HISTORY_ENTRIES];
    size_t found = 0;
    for (size_t back = 0; back < history->count && entry(history, back)->t >= from; back++)
        if (entry(history, back)->t < to)
            values[found++] = entry(history, back)->newest;
    if (found < least || found == 0)
        return NAN;
    order_ascending(values, found);
    return values[found / 2];
}
