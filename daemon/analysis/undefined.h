/* How every result of this library marks a figure that must not be published.
 *
 * A figure whose denominator is zero, or that has no meaning yet, is ANALYSIS_UNDEFINED (a NaN).
 * Callers test it with analysis_is_defined, count it, and never store or show it. Infinite figures do
 * not occur: they are undefined too. */
#ifndef FORESHOCK_ANALYSIS_UNDEFINED_H
#define FORESHOCK_ANALYSIS_UNDEFINED_H

#include <math.h>
#include <stdbool.h>

#define ANALYSIS_UNDEFINED ((double)NAN)

static inline bool analysis_is_defined(double figure)
{
    return isfinite(figure) != 0;
}

#endif
