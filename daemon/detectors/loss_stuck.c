/* The same loss again and again; see loss_stuck.h. By logs or by steps, whichever shows it first: a task that is solved
 * has a loss of exactly 0 for some hundred steps (da019). */
#include "daemon/detectors/loss_stuck.h"

#include <math.h>

#define STUCK_LOGS      500
#define STUCK_STEPS     1000.0 /* where losses are logged rarely, */
#define STUCK_STEP_LOGS 5      /* and so often at least */
#define STUCK_SPARSE    10.0   /* steps from one to the next: as rarely */

struct loss_stuck {
    bool begun;
    double loss;        /* the newest */
    double since, last; /* steps, of the first and the newest log of it */
    size_t logs;        /* of it, in a row */
};

static bool is_stuck(const struct loss_stuck *state)
{
    double steps = state->last - state->since;
    bool sparse = steps >= STUCK_SPARSE * (double)(state->logs - 1);
    return state->logs >= STUCK_LOGS ||
           (sparse && state->logs >= STUCK_STEP_LOGS && steps >= STUCK_STEPS);
}

static bool loss_stuck_judge(void *opaque, const struct detector_settings *settings,
    const struct detector_sample *sample, struct judgement *judgement)
{
    struct loss_stuck *state = opaque;
    double t = detector_steps_taken(sample->step, sample->begin);
    judgement->step = sample->step;
    judgement->time = sample->time;
    if (!isfinite(sample->value))
        return true;
    if (state->begun && sample->value == state->loss)
        state->logs++;
    else
        *state = (struct loss_stuck){true, sample->value, t, t, 1};
    state->last = t;
    judgement->verdict = is_stuck(state) ? VERDICT_BAD : VERDICT_GOOD;
    judgement->score = t - state->since;
    judgement->evidence[0] = (struct evidence){.metric = "loss",
        .value = sample->value,
        .threshold = NAN,
        .baseline = NAN,
        .window = t - state->since,
        .step = judgement->step};
    judgement->evidence_count = 1;
    return true;
}

const struct detector loss_stuck_detector = {
    .metrics = 1u << METRIC_LOSS,
    .state_size = sizeof(struct loss_stuck),
    .judge = loss_stuck_judge,
};
