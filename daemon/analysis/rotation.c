/* The angle between two weight vectors. */
#include "daemon/analysis/rotation.h"

#include "daemon/analysis/undefined.h"

/* Beyond it rounding in the sums of the longer vector drowns the shorter one. */
#define LENGTHS_APART 1e5

static bool comparable(double a, double b)
{
    return a <= LENGTHS_APART * b && b <= LENGTHS_APART * a;
}

double rotation_angle(double a_square, double b_square, double difference_square)
{
    double a = sqrt(a_square), b = sqrt(b_square);
    double rotation = (difference_square - (a - b) * (a - b)) / (2 * a * b);
    if (!isfinite(rotation) || !comparable(a, b))
        return ANALYSIS_UNDEFINED;
    return rotation > 0 ? rotation : 0;
}

static double noise_of(double w_square, const struct reference_sums *reference, bool narrow)
{
    double w = sqrt(w_square), r = sqrt(reference->square);
    double noise = reference->noise / 12 / (2 * w * r);
    return narrow && isfinite(noise) && comparable(w, r) ? noise : ANALYSIS_UNDEFINED;
}

struct rotation rotation_of(const struct weight_sums *sums)
{
    double drift = sqrt(sums->init.difference) / sqrt(sums->init.square);
    return (struct rotation){
        .from_init = rotation_angle(sums->square, sums->init.square, sums->init.difference),
        .step = rotation_angle(sums->square, sums->prev.square, sums->prev.difference),
        .norm = isfinite(sums->square) ? sqrt(sums->square) : ANALYSIS_UNDEFINED,
        .drift = isfinite(drift) ? drift : ANALYSIS_UNDEFINED,
        .noise = noise_of(sums->square, &sums->init, sums->narrow_init),
        .noise_step = noise_of(sums->square, &sums->prev, sums->narrow_prev),
    };
}
