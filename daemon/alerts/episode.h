/* What one alert is about: spells of a rule, in any of its layers, that overlap or leave less than
 * the cooldown between them. It is read off the tracks, so it depends on what they hold and not on
 * how that came. */
#ifndef FORESHOCK_ALERTS_EPISODE_H
#define FORESHOCK_ALERTS_EPISODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/alert.h"
#include "daemon/alerts/layers.h"

#define EPISODE_NEVER INT64_MAX

struct episode {
    enum alert_rule rule;
    double cooldown;
    int64_t start, end; /* end SPELL_OPEN: one of the spells goes on */
    double start_time, end_time;
};

/* The earliest episode of a rule that no resolved alert covers. False if there is none. */
bool episode_find(
    const struct layers *layers, enum alert_rule rule, double cooldown, struct episode *episode);

/* How many watches of a rule are not judged up to a step yet, those left out that are more than
 * `lag_max` steps behind the newest. */
size_t episode_behind(
    const struct layers *layers, enum alert_rule rule, int64_t step, int64_t lag_max);

/* Closes the spells of an episode: its alert is resolved. */
void episode_close(const struct layers *layers, const struct episode *episode);

/* The worst affected layers of an episode, in order. */
struct ranking {
    struct {
        const struct layer *layer;
        const struct spell *worst;
    } entries[ALERT_LAYERS_MAX];
    size_t count, total; /* in the list; in all */
    bool observed;       /* every layer is only observed */
    bool critical;       /* one of the spells is */
    int64_t bad_step;    /* the newest of all */
    double bad_time;
};
void episode_rank(
    const struct layers *layers, const struct episode *episode, struct ranking *ranking);

#endif
