/* What the detectors of a run read lately, and the run's risk by it, step by step. A plain value. */
#ifndef FORESHOCK_ALERTS_READINGS_H
#define FORESHOCK_ALERTS_READINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/detectors/detector.h"
#include "daemon/detectors/risk.h"

#define READINGS_KEPT           256
#define READINGS_ASSESSMENT_MAX 16

/* The run at a step at which the spectral norms of its layers were put together: what its detectors
 * had read of that step or last before it, and the risk by that (risk.h). Scalars of the step that
 * come after its layers are not in it. */
struct assessment {
    int64_t step;
    double time, risk;
    double readings[READING_COUNT];
};

struct readings {
    struct reading_trail {
        size_t taken;
        struct {
            int64_t step;
            double value;
        } entries[READINGS_KEPT]; /* scalars may be ahead of the layers */
    } trails[READING_COUNT];
    struct assessment assessments[READINGS_ASSESSMENT_MAX]; /* the oldest first */
    size_t assessment_count;
};

/* Keeps what a judgement read. */
void readings_put(struct readings *readings, const struct judgement *judgement);

/* What was read at a step or last before it; where all that is kept is newer, the oldest; 0: nothing. */
double readings_at(const struct readings *readings, enum risk_reading reading, int64_t step);

/* Assesses the run, if the judgement read the growth of its layers. */
void readings_assess(struct readings *readings, const struct judgement *judgement);

/* The oldest assessment that was not taken yet; at most READINGS_ASSESSMENT_MAX wait, older ones are
 * forgotten. False if there is none. */
bool readings_take_assessment(struct readings *readings, struct assessment *assessment);

#endif
