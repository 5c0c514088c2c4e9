/* A ring for each reading, and a short list of assessments; see readings.h. */
#include "daemon/alerts/readings.h"

#include <string.h>

static bool was_read(const struct judgement *judgement, size_t reading)
{
    return judgement->read >> reading & 1;
}

void readings_put(struct readings *readings, const struct judgement *judgement)
{
    for (size_t i = 0; i < READING_COUNT; i++) {
        struct reading_trail *trail = &readings->trails[i];
        if (!was_read(judgement, i))
            continue;
        size_t at = trail->taken++ % READINGS_KEPT;
        trail->entries[at].step = judgement->step;
        trail->entries[at].value = judgement->readings[i];
    }
}

double readings_at(const struct readings *readings, enum risk_reading reading, int64_t step)
{
    const struct reading_trail *trail = &readings->trails[reading];
    double value = 0;
    for (size_t back = 1; back <= trail->taken && back <= READINGS_KEPT; back++) {
        size_t at = (trail->taken - back) % READINGS_KEPT;
        value = trail->entries[at].value;
        if (trail->entries[at].step <= step)
            break;
    }
    return value;
}

static void remove_oldest(struct readings *readings)
{
    memmove(readings->assessments, readings->assessments + 1,
        --readings->assessment_count * sizeof readings->assessments[0]);
}

void readings_assess(struct readings *readings, const struct judgement *judgement)
{
    if (!was_read(judgement, READING_GROWTH))
        return;
    if (readings->assessment_count == READINGS_ASSESSMENT_MAX)
        remove_oldest(readings);
    struct assessment *assessment = &readings->assessments[readings->assessment_count++];
    *assessment = (struct assessment){.step = judgement->step, .time = judgement->time};
    /* Of the run's own figures those of this step may be there already, or not: the ones before. */
    for (size_t i = 0; i < READING_COUNT; i++)
        assessment->readings[i] =
            was_read(judgement, i)
                ? judgement->readings[i]
                : readings_at(readings, (enum risk_reading)i, judgement->step - 1);
    assessment->risk = risk_of(&risk_model, assessment->readings);
}

bool readings_take_assessment(struct readings *readings, struct assessment *assessment)
{
    if (readings->assessment_count == 0)
        return false;
    *assessment = readings->assessments[0];
    remove_oldest(readings);
    return true;
}
