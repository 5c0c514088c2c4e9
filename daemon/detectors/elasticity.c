/* A ring of thinned samples; see elasticity.h. */
#include "daemon/detectors/elasticity.h"

#include <math.h>

#define LOOKBACK   0.8
#define SPACING    1.02
#define PEAK_SHARE 0.5

static const struct anchor *anchor_back(const struct elasticity *elasticity, size_t back)
{
    return &elasticity->ring[(elasticity->taken - back) % ELASTICITY_ANCHORS];
}

/* The newest kept sample at or before `latest`; NULL if there is none, or only the beginning itself. */
static const struct anchor *anchor_find(const struct elasticity *elasticity, double latest)
{
    for (size_t back = 1; back <= elasticity->taken && back <= ELASTICITY_ANCHORS; back++)
        if (anchor_back(elasticity, back)->t <= latest)
            return anchor_back(elasticity, back)->t < 1 ? NULL : anchor_back(elasticity, back);
    return NULL;
}

bool elasticity_put(
    struct elasticity *elasticity, double t, double value, struct elasticity_growth *growth)
{
    const struct anchor *anchor = anchor_find(elasticity, LOOKBACK * t);
    if (anchor != NULL) {
        double past = fmax(anchor->value, PEAK_SHARE * anchor->peak);
        *growth = (struct elasticity_growth){log(value / past) / log(t / anchor->t), anchor->t};
    }
    elasticity->peak = fmax(elasticity->peak, value);
    if (elasticity->taken == 0 || t >= SPACING * anchor_back(elasticity, 1)->t)
        elasticity->ring[elasticity->taken++ % ELASTICITY_ANCHORS] =
            (struct anchor){t, value, elasticity->peak};
    return anchor != NULL;
}
