/* The quantile of a random cosine by bisection of the incomplete beta function. */
#include "daemon/analysis/chance.h"

#include <math.h>

#define FRACTION_TERMS     1000
#define FRACTION_PRECISION 1e-15
#define BISECTIONS         60

static double log_gamma(double x)
{
    int sign; /* lgamma writes to a global, this does not */
    return lgamma_r(x, &sign);
}

/* The continued fraction of I_x(a, b) by Lentz's method; converges fast for x < (a + 1) / (a + b +
 * 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double result = d;
    for (int m = 1; m <= FRACTION_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double terms[2] = {even, odd}, factor = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            c = 1 + terms[i] / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            factor = d * c;
            result *= factor;
        }
        if (fabs(factor - 1) < FRACTION_PRECISION)
            break;
    }
    return result;
}

double chance_incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double chance_cosine(size_t dimensions, double coverage)
{
    double low = 0, high = 1;
    for (int i = 0; i < BISECTIONS; i++) {
        double cosine = (low + high) / 2;
        /* cos^2 follows Beta(1/2, (d - 1) / 2). */
        if (chance_incomplete_beta(0.5, (double)(dimensions - 1) / 2, cosine * cosine) < coverage)
            low = cosine;
        else
            high = cosine;
    }
    return (low + high) / 2;
}
