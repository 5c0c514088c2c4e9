/* The angle between two weight vectors. */
#include "daemon/analysis/rotation.h"

#include "daemon/analysis/figure.h"

double rotation_angle(double a_square, double b_square, double difference_square)
{
    double a = sqrt(a_square), b = sqrt(b_square);
    double rotation = (difference_square - (a - b) * (a - b)) / (2 * a * b);
    if (!isfinite(rotation))
        return FIGURE_UNDEFINED;
    return rotation > 0 ? rotation : 0;
}

static double noise_of(double w_square, const struct reference_sums *reference, bool narrow)
{
    double noise = reference->noise / 12 / (2 * sqrt(w_square) * sqrt(reference->square));
    return narrow && isfinite(noise) ? noise : FIGURE_UNDEFINED;
}

struct rotation rotation_of(const struct weight_sums *sums)
{
    double drift = sqrt(sums->init.difference) / sqrt(sums->init.square);
    return (struct rotation){
        .from_init = rotation_angle(sums->square, sums->init.square, sums->init.difference),
        .step = rotation_angle(sums->square, sums->prev.square, sums->prev.difference),
        .norm = isfinite(sums->square) ? sqrt(sums->square) : FIGURE_UNDEFINED,
        .drift = isfinite(drift) ? drift : FIGURE_UNDEFINED,
        .noise = noise_of(sums->square, &sums->init, sums->narrow_init),
        .noise_step = noise_of(sums->square, &sums->prev, sums->narrow_prev),
    };
}
