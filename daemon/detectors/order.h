/* Doubles in order. Pure. */
#ifndef FORESHOCK_DETECTORS_ORDER_H
#define FORESHOCK_DETECTORS_ORDER_H

#include <stddef.h>

/* Smallest first; none is NaN. */
void order_ascending(double *values, size_t count);

#endif
