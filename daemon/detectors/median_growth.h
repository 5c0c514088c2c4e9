/* What the elasticities of all layers together say: their median, by the training clock, against
 * its own past. Shared by the rules that judge growth this way. */
#ifndef FORESHOCK_DETECTORS_MEDIAN_GROWTH_H
#define FORESHOCK_DETECTORS_MEDIAN_GROWTH_H

#include "daemon/detectors/detector.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/training_clock.h"

/* Layers: where there are no more, they are company with a limit of their own. */
#define LAYERS_GROWTH_PAIR 2

struct layers_growth {
    struct training_clock clock;
    struct history growth;
};

struct layers_growth_limits {
    double level, rise; /* bad above both: the growth, and its excess over its own past */
    double pair;        /* of two layers, where there are no more: bad above this at least */
    double exponential; /* or above this while it rises against its past as exponentials do */
    double exponential_arm_steps;
    double resolve;       /* good below */
    double critical;      /* critical above, while the loss is above its lowest level by ... */
    double critical_loss; /* ... this share of its way down */
    double arm_steps;
    const char *metric, *layer_metric; /* of the evidence */
    bool tells_readings;               /* growth is what the risk model reads */
};

/* The `judge` of such a detector: the clock runs with the learning rate, nothing is decided by it. */
bool layers_growth_clock(void *state, const struct rule_settings *settings,
    const struct sample *sample, struct judgement *judgement);

/* Judges the panel of a step; its values are elasticities (elasticity.h). */
void layers_growth_judge(struct layers_growth *state, const struct layers_growth_limits *limits,
    const struct panel *panel, int64_t begin, struct judgement *judgement);

#endif
