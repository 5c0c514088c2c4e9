/* Products and lengths of vectors of double. */
#include "daemon/analysis/vector.h"

#include <math.h>

/* Between these no square of the elements that matter has over- or underflown, and neither does the
 * product of two lengths. */
#define SQUARE_MIN 1e-200
#define SQUARE_MAX 1e200

double vector_dot(const double *a, const double *b, size_t n)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            lane[j] += a[i + j] * b[i + j];
    double sum = 0;
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t j = 0; j < 8; j++)
        sum += lane[j];
    return sum;
}

double vector_length(double *vector, size_t n)
{
    double square = vector_dot(vector, vector, n);
    if (square > SQUARE_MIN && square < SQUARE_MAX)
        return sqrt(square);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(vector[i]))
            return 0;
        largest = fmax(largest, fabs(vector[i]));
    }
    if (largest <= 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        vector[i] /= largest;
    return sqrt(vector_dot(vector, vector, n));
}
