/* See order.h. */
#include "daemon/detectors/order.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void order_ascending(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], by_value);
}
