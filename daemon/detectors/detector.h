/* What a detector is: a state of bounded size for one layer (or the run itself) that is fed one
 * layer's figures in order of step and says of each step whether it was bad. A new detector is a
 * pair of files, its constants in settings.h, and a row in the rules' table of detectors
 * (alerts/detection.c). It knows nothing of rules and alerts, or of how long a finding must last.
 * What it finds in one layer it may share; a detector of the run is then given the cross-section of
 * all layers at a step. Any thread, one at a time for a state; no I/O, no clock. */
#ifndef FORESHOCK_DETECTORS_DETECTOR_H
#define FORESHOCK_DETECTORS_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/detectors/cross_section.h"
#include "daemon/detectors/evidence.h"
#include "daemon/detectors/risk.h"
#include "daemon/detectors/settings.h"

enum detector_metric {
    METRIC_LOSS,
    METRIC_GRAD_NORM,
    METRIC_LR,
    METRIC_WEIGHTS_NONFINITE,
    METRIC_ACTIVATION_NONFINITE,
    METRIC_SIGMA1,
    METRIC_RESIDUAL,
    METRIC_DIVERSITY,
    METRIC_ROTATION,
    METRIC_COUNT
};

extern const char *const detector_metric_names[METRIC_COUNT + 1]; /* their names, then NULL */

/* Unclear: between the threshold of firing and that of being well again. */
enum detector_verdict { VERDICT_NONE, VERDICT_BAD, VERDICT_UNCLEAR, VERDICT_GOOD };

struct detector_sample {
    enum detector_metric metric;
    int64_t step;
    int64_t begin; /* the step at which the attempt began: <= step */
    double time;
    double value;
};

struct judgement {
    enum detector_verdict verdict;
    int64_t step; /* all up to this step is judged */
    double time;
    /* How bad: the layer of the highest one is named first, and a quarter more updates the alert.
     * A ratio, an exponent or a share of the threshold. */
    double score;
    bool critical; /* so bad that somebody has to act now, if it lasts */
    struct {
        bool given;
        double value, window; /* as in struct cross_section */
    } share;                  /* for the detectors of the run */
    unsigned read;            /* 1 << enum risk_reading: those that are given */
    double readings[READING_COUNT];
    struct evidence evidence[EVIDENCE_MAX];
    size_t evidence_count;
};

static inline void judgement_read(
    struct judgement *judgement, enum risk_reading reading, double value)
{
    judgement->read |= 1u << reading;
    judgement->readings[reading] = value;
}

/* What a detector may know of the layer that it watches. */
struct detector_subject {
    const char *role; /* NULL: the run itself */
    bool gated;       /* an mlp.in with an mlp.gate beside it */
};

struct detector {
    unsigned metrics; /* 1 << enum detector_metric, those it reads */
    size_t state_size;
    bool (*watches)(const struct detector_subject *watched); /* NULL: whatever has its metrics */
    /* The state is all zero at first. True if the figure decided a step; then *judgement (zero
     * before) is filled. */
    bool (*judge)(void *state, const struct detector_settings *settings,
        const struct detector_sample *sample, struct judgement *judgement);
    /* Of the run: what the layers shared of a step, with its `begin` as in struct detector_sample. NULL
     * unless `shared_by` is a detector that shares. */
    const struct detector *shared_by;
    void (*judge_cross_section)(void *state, const struct detector_settings *settings,
        const struct cross_section *section, int64_t begin, struct judgement *judgement);
};

/* Steps since the attempt began. */
static inline double detector_steps_taken(int64_t step, int64_t begin)
{
    return (double)(step - begin);
}

#endif
