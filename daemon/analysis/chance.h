/* How large the cosine of two random directions gets by chance. Pure. */
#ifndef FORESHOCK_ANALYSIS_CHANCE_H
#define FORESHOCK_ANALYSIS_CHANCE_H

#include <stddef.h>

/* The c with P(|cos| <= c) = coverage for two random directions in `dimensions` > 1; cos follows
 * Beta((d - 1) / 2, (d - 1) / 2) stretched to [-1, 1]. 0 < coverage < 1. */
double chance_cosine(size_t dimensions, double coverage);

/* The regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1. */
double chance_incomplete_beta(double a, double b, double x);

#endif
