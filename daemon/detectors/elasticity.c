/* A ring of thinned samples; see elasticity.h. */
#include "daemon/detectors/elasticity.h"

#include <math.h>

#include "daemon/detectors/history.h"

#define SPACING    1.02
#define PEAK_SHARE 0.5

static const struct anchor *anchor_back(const struct elasticity *elasticity, size_t back)
{
    return &elasticity
                ->ring[(elasticity->next + ELASTICITY_ANCHORS - 1 - back) % ELASTICITY_ANCHORS];
}

static void anchor_keep(struct elasticity *elasticity, double t, double value, double growth)
{
    if (elasticity->anchors > 0 && t < SPACING * anchor_back(elasticity, 0)->t)
        return;
    if (elasticity->anchors == ELASTICITY_ANCHORS)
        elasticity->peak = fmax(elasticity->peak, elasticity->ring[elasticity->next].value);
    elasticity->ring[elasticity->next] = (struct anchor){t, value, growth, elasticity->samples};
    elasticity->next = (elasticity->next + 1) % ELASTICITY_ANCHORS;
    if (elasticity->anchors < ELASTICITY_ANCHORS)
        elasticity->anchors++;
}

/* NULL if no kept sample is far enough back, or only the beginning itself. */
static const struct anchor *anchor_find(
    const struct elasticity *elasticity, double latest, double samples_back)
{
    for (size_t back = 0; back < elasticity->anchors; back++) {
        const struct anchor *anchor = anchor_back(elasticity, back);
        if (anchor->t < 1)
            return NULL;
        if (anchor->t <= latest && (double)(elasticity->samples - anchor->ordinal) >= samples_back)
            return anchor;
    }
    return NULL;
}

/* Value and elasticity, the largest of those kept from PAST_FROM t on, up to `last`; of earlier ones
 * the value at PEAK_SHARE. */
static struct anchor past_largest(
    const struct elasticity *elasticity, double t, const struct anchor *last)
{
    struct anchor largest = *last;
    double peak = elasticity->peak;
    for (size_t back = 0; back < elasticity->anchors; back++) {
        const struct anchor *anchor = anchor_back(elasticity, back);
        if (anchor->t > last->t)
            continue;
        if (anchor->t < PAST_FROM * t) {
            peak = fmax(peak, anchor->value);
            continue;
        }
        largest.value = fmax(largest.value, anchor->value);
        largest.elasticity = fmax(largest.elasticity, anchor->elasticity);
    }
    largest.value = fmax(largest.value, PEAK_SHARE * peak);
    return largest;
}

bool elasticity_put(struct elasticity *elasticity, double t, double value, double lookback,
    double samples_back, struct elasticity_growth *growth)
{
    const struct anchor *anchor = anchor_find(elasticity, lookback * t, samples_back);
    if (anchor != NULL) {
        struct anchor past = past_largest(elasticity, t, anchor);
        *growth = (struct elasticity_growth){
            .elasticity = log(value / past.value) / log(t / anchor->t),
            .past = past.elasticity,
            .from_t = anchor->t,
        };
    }
    anchor_keep(elasticity, t, value, anchor != NULL ? growth->elasticity : NAN);
    elasticity->samples++;
    return anchor != NULL;
}
