/* A ring of thinned samples; see elasticity.h. */
#include "daemon/alerts/elasticity.h"

#include <math.h>

#define SPACING 1.02

static const struct anchor *anchor_back(const struct elasticity *elasticity, size_t back)
{
    return &elasticity
                ->ring[(elasticity->next + ELASTICITY_ANCHORS - 1 - back) % ELASTICITY_ANCHORS];
}

static void anchor_keep(struct elasticity *elasticity, double t, double value)
{
    if (elasticity->anchors > 0 && t < SPACING * anchor_back(elasticity, 0)->t)
        return;
    elasticity->ring[elasticity->next] = (struct anchor){t, value, elasticity->samples};
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

bool elasticity_put(struct elasticity *elasticity, double t, double value, double lookback,
    double samples_back, struct growth *growth)
{
    const struct anchor *anchor = anchor_find(elasticity, lookback * t, samples_back);
    if (anchor != NULL)
        *growth = (struct growth){
            .elasticity = log(value / anchor->value) / log(t / anchor->t),
            .from_t = anchor->t,
            .from_value = anchor->value,
        };
    anchor_keep(elasticity, t, value);
    elasticity->samples++;
    return anchor != NULL;
}
