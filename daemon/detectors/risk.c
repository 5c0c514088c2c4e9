/* Cumulative logits of clamped, standardized readings; see risk.h. */
#include "daemon/detectors/risk.h"

#include <math.h>

const char *const risk_reading_names[READING_COUNT] = {
    [READING_GROWTH] = "growth",
    [READING_GROWTH_RISE] = "growth_rise",
    [READING_LAYER_GROWTH] = "layer_growth",
    [READING_GRADIENT] = "gradient",
    [READING_LOSS_LEVEL] = "loss_level",
    [READING_LOSS_JUMP] = "loss_jump",
    [READING_LR] = "lr",
};

static double standardized(const struct risk_term *term, double reading)
{
    if (isnan(reading))
        reading = 0;
    return (fmin(fmax(reading, term->low), term->high) - term->center) / term->scale;
}

/* Steps with coefficients of their own may cross; a later class is never the likelier one. */
double risk_of(const struct risk_model *model, const double readings[READING_COUNT])
{
    double risk = 1;
    for (size_t step = 0; step < RISK_STEPS; step++) {
        double logit = model->intercepts[step];
        for (size_t i = 0; i < READING_COUNT; i++)
            logit +=
                model->terms[i].coefficients[step] * standardized(&model->terms[i], readings[i]);
        risk = fmin(risk, 1 / (1 + exp(-logit)));
    }
    return risk;
}
