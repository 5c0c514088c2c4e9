/* Products and lengths of vectors of double. Pure. */
#ifndef FORESHOCK_ANALYSIS_VECTOR_H
#define FORESHOCK_ANALYSIS_VECTOR_H

#include <stddef.h>

/* In eight lanes. */
double vector_dot(const double *a, const double *b, size_t n);

/* The length of a vector, which is first brought near 1 in place where its squares would leave the
 * range of double. 0 for a zero vector and for one that holds a NaN or an infinity. */
double vector_length(double *vector, size_t n);

#endif
