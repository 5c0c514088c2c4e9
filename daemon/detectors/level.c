/* A short ring of values; see level.h. */
#include "daemon/detectors/level.h"

#include <math.h>

#include "daemon/detectors/order.h"

static size_t at(const struct level *level, size_t back)
{
    return (level->next + LEVEL_VALUES - 1 - back) % LEVEL_VALUES;
}

bool level_put(struct level *level, double t, double value, double span)
{
    if (level->count > 0 && t - level->values[at(level, 0)].t < span / LEVEL_VALUES)
        return false;
    level->values[level->next].t = t;
    level->values[level->next].value = value;
    level->next = (level->next + 1) % LEVEL_VALUES;
    if (level->count < LEVEL_VALUES)
        level->count++;
    return true;
}

/* How many of the newest values count; 0: too few are there. */
static size_t counted(const struct level *level, double span, size_t least)
{
    if (level->count < least)
        return 0;
    size_t count = least;
    while (count < level->count &&
           level->values[at(level, 0)].t - level->values[at(level, count)].t < span)
        count++;
    return count;
}

double level_mean(const struct level *level, double span, size_t least)
{
    size_t count = counted(level, span, least);
    double sum = 0;
    for (size_t back = 0; back < count; back++)
        sum += level->values[at(level, back)].value;
    return count > 0 ? sum / (double)count : NAN;
}

double level_median(const struct level *level, double span, size_t least)
{
    double sorted[LEVEL_VALUES];
    size_t count = counted(level, span, least);
    for (size_t back = 0; back < count; back++)
        sorted[back] = level->values[at(level, back)].value;
    if (count == 0)
        return NAN;
    order_ascending(sorted, count);
    return sorted[count / 2];
}

double level_lowest(const struct level *level, double span, size_t least)
{
    double lowest = NAN;
    size_t count = counted(level, span, least);
    for (size_t back = 0; back < count; back++)
        lowest = fmin(lowest, level->values[at(level, back)].value);
    return lowest;
}
