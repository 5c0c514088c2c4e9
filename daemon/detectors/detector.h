/* What a detector is: a state of bounded size for one layer (or the run itself) that is fed one
 * layer's figures in order of step and says of each step whether it was bad. A new detector is a
 * file, a row in detector_table and its constants in rules.c; it knows nothing of alerts, or of how
 * long a finding must last. What it finds in one layer it may share; a detector of the run is then
 * given what all layers shared of a step. lab/RESULTS.md tells what each looks for, and why. */
#ifndef FORESHOCK_DETECTORS_DETECTOR_H
#define FORESHOCK_DETECTORS_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/alert.h"
#include "daemon/alerts/rules.h"
#include "daemon/detectors/cross_section.h"
#include "daemon/detectors/risk.h"

enum alert_metric {
    METRIC_LOSS,
    METRIC_GRAD_NORM,
    METRIC_LR,
    METRIC_WEIGHTS_NONFINITE,
    METRIC_ACTIVATION_NONFINITE,
    METRIC_SIGMA1,
    METRIC_RESIDUAL,
    METRIC_DIVERSITY,
    METRIC_ROTATION,
    METRIC_COS_IN_OUT,
    METRIC_COUNT
};

extern const char *const alert_metric_table[METRIC_COUNT + 1]; /* their names, then NULL */

/* Unclear: between the threshold of firing and that of being well again. */
enum verdict { VERDICT_NONE, VERDICT_BAD, VERDICT_UNCLEAR, VERDICT_GOOD };

struct sample {
    enum alert_metric metric;
    int64_t step;
    int64_t begin; /* the step at which the attempt began: <= step */
    double time;
    double value;
};

struct judgement {
    enum verdict verdict;
    int64_t step; /* all up to this step is judged */
    double time;
    /* How bad: the layer of the highest one is named first, and TRACK_WORSE times as much is told
     * anew. A ratio, an exponent or a share of the threshold: a quarter more means something. */
    double score;
    bool critical; /* so bad that somebody has to act now, if it lasts */
    struct {
        bool given;
        double value, window; /* as in struct panel */
        double limit;         /* the layer is told of by itself above it; 0: never */
        double witness;       /* what says so beside the value; NaN: nothing does */
    } share;                  /* for the detectors of all layers together */
    unsigned read;            /* 1 << enum reading: those of the run that are told */
    double readings[READING_COUNT];
    struct alert_evidence evidence[ALERT_TRACK_EVIDENCE_MAX];
    size_t evidence_count;
};

static inline void judgement_read(struct judgement *judgement, enum reading reading, double value)
{
    judgement->read |= 1u << reading;
    judgement->readings[reading] = value;
}

/* What a detector may know of the layer it watches. */
struct watched {
    const char *role; /* NULL: the run itself */
    bool gated;       /* an mlp.in with an mlp.gate beside it */
};

struct detector {
    enum alert_rule rule;
    unsigned metrics; /* 1 << enum alert_metric, those it reads */
    size_t state_size;
    bool (*watches)(const struct watched *watched); /* NULL: whatever has its metrics */
    /* The state is all zero at first. True if the figure decided a step; then *judgement (zero
     * before) is filled. */
    bool (*judge)(void *state, const struct rule_settings *settings, const struct sample *sample,
        struct judgement *judgement);
    /* Of the run: what the layers shared of a step, with its `begin` as in struct sample. NULL
     * unless `shared_by` is a detector that shares. */
    const struct detector *shared_by;
    void (*judge_panel)(void *state, const struct rule_settings *settings,
        const struct panel *panel, int64_t begin, struct judgement *judgement);
};

/* Steps since the attempt began. */
static inline double steps_taken(int64_t step, int64_t begin)
{
    return (double)(step - begin);
}

/* An attempt that begins later goes on with an earlier one: how it began nobody saw. A begin is the
 * first step that was told of, so that it lies above 0 where trainings tell seldom. */
#define RESUMED_FROM 1000

static inline bool is_resumed(int64_t begin)
{
    return begin > RESUMED_FROM;
}

extern const struct detector nonfinite_weights_detector;
extern const struct detector nonfinite_activations_detector;
extern const struct detector nonfinite_loss_detector;
extern const struct detector nonfinite_grad_norm_detector;
extern const struct detector sigma_growth_detector;
extern const struct detector layers_growth_detector;
extern const struct detector lone_growth_detector;
extern const struct detector lr_runaway_detector;
extern const struct detector gradient_detector;
extern const struct detector alignment_fall_detector;
extern const struct detector alignment_collapse_detector;
extern const struct detector cosine_shift_detector;
extern const struct detector rotation_elasticity_detector;
extern const struct detector rotation_runaway_detector;
extern const struct detector rotation_change_detector;
extern const struct detector rotation_still_detector;
extern const struct detector loss_high_detector;

/* One row for each thing watched: a rule may have several. A detector that is shared by comes after
 * the one that shares. */
#define DETECTOR_COUNT 17
extern const struct detector *const detector_table[DETECTOR_COUNT];

#endif
