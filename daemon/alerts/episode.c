/* Spells put together into episodes, and the layers of an episode ranked. */
#include "daemon/alerts/episode.h"

#include <string.h>

static bool is_part(const struct spell *spell, const struct episode *episode)
{
    return spell->fired_step == episode->start || episode->end == SPELL_OPEN ||
           (double)(spell->fired_step - episode->end) < episode->cooldown;
}

static bool is_before(int64_t step, double time, int64_t other_step, double other_time)
{
    return step < other_step || (step == other_step && time < other_time);
}

static const struct spell *find_first(const struct layers *layers, enum alert_rule rule)
{
    struct cursor at = {0};
    const struct spell *first = NULL;
    for (const struct spell *spell; (spell = layers_next_spell(layers, rule, &at)) != NULL;)
        if (first == NULL ||
            is_before(spell->fired_step, spell->fired_time, first->fired_step, first->fired_time))
            first = spell;
    return first;
}

/* True if some part of the episode ends later than it did. */
static bool grow(const struct layers *layers, struct episode *episode)
{
    bool grew = false;
    struct cursor at = {0};
    for (const struct spell *spell;
         (spell = layers_next_spell(layers, episode->rule, &at)) != NULL;)
        if (is_before(episode->end, episode->end_time, spell->ended_step, spell->ended_time) &&
            is_part(spell, episode)) {
            episode->end = spell->ended_step;
            episode->end_time = spell->ended_time;
            grew = true;
        }
    return grew;
}

bool episode_find(
    const struct layers *layers, enum alert_rule rule, double cooldown, struct episode *episode)
{
    const struct spell *first = find_first(layers, rule);
    if (first == NULL)
        return false;
    *episode = (struct episode){
        rule, cooldown, first->fired_step, first->ended_step, first->fired_time, first->ended_time};
    while (episode->end != SPELL_OPEN && grow(layers, episode))
        ;
    return true;
}

/* The next step up to which a layer is judged, of all watches of a rule; -1 at the end. */
static int64_t next_judged(const struct layers *layers, enum alert_rule rule, struct cursor *at)
{
    for (; at->layer < layers->count; at->layer++, at->watch = 0) {
        const struct layer *layer = layers->sorted[at->layer];
        while (layer->mode[rule] != RULE_OFF && at->watch < DETECTION_COUNT) {
            const struct watch *watch = layer->watches[at->watch++];
            if (layer_watch_rule(at->watch - 1) == rule && watch != NULL &&
                watch->track.judged_step >= 0)
                return watch->track.judged_step;
        }
    }
    return -1;
}

size_t episode_behind(
    const struct layers *layers, enum alert_rule rule, int64_t step, int64_t lag_max)
{
    int64_t newest = -1;
    size_t behind = 0;
    struct cursor at = {0};
    for (int64_t judged; (judged = next_judged(layers, rule, &at)) >= 0;)
        if (judged > newest)
            newest = judged;
    at = (struct cursor){0};
    for (int64_t judged; (judged = next_judged(layers, rule, &at)) >= 0;)
        behind += judged < step && newest - judged <= lag_max;
    return behind;
}

void episode_close(const struct layers *layers, const struct episode *episode)
{
    struct cursor at = {0};
    for (struct spell *spell; (spell = layers_next_spell(layers, episode->rule, &at)) != NULL;)
        if (is_part(spell, episode))
            spell->closed = true;
}

static bool is_worse(const struct spell *a, const struct spell *b)
{
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score;
    return a->fired_step < b->fired_step;
}

static void ranking_put(
    struct ranking *ranking, const struct layer *layer, const struct spell *worst)
{
    ranking->total++;
    size_t at = ranking->count;
    while (at > 0 && is_worse(worst, ranking->entries[at - 1].worst))
        at--;
    if (at == ALERT_LAYERS_MAX)
        return;
    if (ranking->count < ALERT_LAYERS_MAX)
        ranking->count++;
    memmove(ranking->entries + at + 1, ranking->entries + at,
        (ranking->count - 1 - at) * sizeof ranking->entries[0]);
    ranking->entries[at].layer = layer;
    ranking->entries[at].worst = worst;
}

void episode_rank(
    const struct layers *layers, const struct episode *episode, struct ranking *ranking)
{
    const struct layer *layer = NULL;
    const struct spell *worst = NULL;
    struct cursor at = {0};
    *ranking = (struct ranking){.observed = true, .bad_step = -1};
    for (const struct spell *spell;
         (spell = layers_next_spell(layers, episode->rule, &at)) != NULL;) {
        if (!is_part(spell, episode))
            continue;
        ranking->critical |= spell->critical;
        if (layer != layers->sorted[at.layer]) {
            if (layer != NULL)
                ranking_put(ranking, layer, worst);
            layer = layers->sorted[at.layer];
            worst = spell;
            ranking->observed &= layer->mode[episode->rule] == RULE_OBSERVE;
        } else if (is_worse(spell, worst))
            worst = spell;
        if (is_before(ranking->bad_step, ranking->bad_time, spell->bad_step, spell->bad_time)) {
            ranking->bad_step = spell->bad_step;
            ranking->bad_time = spell->bad_time;
        }
    }
    ranking_put(ranking, layer, worst);
}
