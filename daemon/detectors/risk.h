/* The risk of a run as one number: what its detectors read, put through an ordinal model.
 *
 * The model tells healthy < suspicious < failing < exploding apart by cumulative logits whose
 * coefficients differ from one step of the order to the next only as far as the data insist, so that
 * the rare last step borrows strength from the common earlier ones (in the spirit of PRESTO:
 * Faletto and Bien, Predicting Rare Events by Shrinking Towards Proportional Odds, 2023). Its
 * coefficients are data: risk_model.json, made by lab/risk/train.py, embedded when built.
 * lab/RESULTS.md says what the classes are and how well the probabilities are calibrated. Pure. */
#ifndef FORESHOCK_DETECTORS_RISK_H
#define FORESHOCK_DETECTORS_RISK_H

#include <stddef.h>

#define RISK_STEPS 3 /* from one class to the next */

/* What detectors of the run read; 0 where nothing is known. */
enum risk_reading {
    READING_GROWTH,       /* median elasticity of sigma1 by the training clock */
    READING_GROWTH_RISE,  /* its excess over its own past */
    READING_LAYER_GROWTH, /* the largest elasticity of a layer */
    READING_GRADIENT,     /* log of the gradient's level over its own past */
    READING_LOSS_LEVEL,   /* level of the loss above its lowest, in shares of its way down */
    READING_LOSS_JUMP,    /* what nearly all of the last losses exceed, likewise */
    READING_LR,           /* log of the learning rate over its plateau, while it is above */
    READING_COUNT
};

extern const char *const risk_reading_names[READING_COUNT];

struct risk_term {
    double low, high;     /* a reading is brought into this range */
    double center, scale; /* and then standardized */
    double coefficients[RISK_STEPS];
};

struct risk_model {
    int version;
    double intercepts[RISK_STEPS];
    struct risk_term terms[READING_COUNT];
};

extern const struct risk_model risk_model; /* the embedded one */

/* The probability that the loss explodes within the model's horizon, in [0, 1]. */
double risk_of(const struct risk_model *model, const double readings[READING_COUNT]);

#endif
