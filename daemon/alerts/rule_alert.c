/* Spells to one alert, and its changes to reports; see rule_alert.h. */
#include "daemon/alerts/rule_alert.h"

#include <string.h>

#include "daemon/alerts/episode.h"
#include "daemon/alerts/wording.h"

void rule_alert_init(
    struct rule_alert *rule_alert, enum alert_rule rule, const struct layers *layers)
{
    *rule_alert =
        (struct rule_alert){.rule = rule, .layers = layers, .resolve_step = EPISODE_NEVER};
}

/* True once all layers are judged up to where the open alert can be resolved. */
static bool is_judged_to_the_end(struct rule_alert *rule_alert)
{
    if (rule_alert->resolve_step == EPISODE_NEVER)
        return false;
    rule_alert->behind = episode_behind(
        rule_alert->layers, rule_alert->rule, rule_alert->resolve_step, RULE_ALERT_LAG_MAX);
    return rule_alert->behind == 0;
}

/* False if a watch that moved on cannot have made the open alert due: counting all of them for each
 * judgement would take the square of the layers. Once a step they are counted anyway, for those
 * that fell silent. */
static bool may_be_due(struct rule_alert *rule_alert, int64_t from, int64_t to)
{
    if (rule_alert->resolve_step == EPISODE_NEVER)
        return false;
    if (from < 0)
        rule_alert->behind += to < rule_alert->resolve_step;
    else if (from < rule_alert->resolve_step && to >= rule_alert->resolve_step &&
             rule_alert->behind > 0)
        rule_alert->behind--;
    bool counts = to > rule_alert->counted_step;
    if (counts)
        rule_alert->counted_step = to;
    return counts || rule_alert->behind == 0;
}

bool rule_alert_is_due(struct rule_alert *rule_alert, int64_t from, int64_t to)
{
    return may_be_due(rule_alert, from, to) && is_judged_to_the_end(rule_alert);
}

static bool is_listed(const struct alert *alert, int64_t layer)
{
    for (size_t i = 0; i < alert->layer_count; i++)
        if (alert->layers[i] == layer)
            return true;
    return false;
}

/* Evidence of the worst spell of a layer; the layers that it names are the alert's too. */
static void add_evidence(struct alert *alert, const struct spell *worst)
{
    for (size_t i = 0; i < worst->evidence_count; i++) {
        const struct evidence *evidence = &worst->evidence[i];
        if (alert->evidence_count < ALERT_EVIDENCE_MAX)
            alert->evidence[alert->evidence_count++] = *evidence;
        if (alert->layer_count < ALERT_LAYERS_MAX && !is_listed(alert, evidence->layer))
            alert->layers[alert->layer_count++] = evidence->layer;
    }
}

/* The layer that an entry is about: what was found in the run may be about one. */
static const struct layer *subject(
    const struct layers *layers, const struct layer *layer, const struct spell *worst)
{
    for (size_t i = 1; i < worst->evidence_count; i++)
        if (worst->evidence[i].layer != worst->evidence[0].layer)
            return layer;
    if (layer->id != 0 || worst->evidence_count == 0)
        return layer;
    const struct layer *named = layers_find(layers, worst->evidence[0].layer);
    return named == NULL ? layer : named;
}

/* Writes into the open alert of a rule what its episode says by now. */
static void refresh_open(struct rule_alert *rule_alert, const struct episode *episode)
{
    struct alert *alert = &rule_alert->open;
    struct ranking ranking;
    episode_rank(rule_alert->layers, episode, &ranking);
    alert->last_step = ranking.bad_step;
    alert->last_at = ranking.bad_time;
    alert->observed = ranking.observed;
    alert->layer_total = ranking.total;
    alert->layer_count = ranking.count;
    alert->evidence_count = 0;
    for (size_t i = 0; i < ranking.count; i++)
        alert->layers[i] =
            subject(rule_alert->layers, ranking.entries[i].layer, ranking.entries[i].worst)->id;
    for (size_t i = 0; i < ranking.count; i++)
        add_evidence(alert, ranking.entries[i].worst);
    if (alert->layer_total < alert->layer_count)
        alert->layer_total = alert->layer_count;
    if (ranking.critical)
        alert->severity = SEVERITY_CRITICAL;
    const struct spell *worst = ranking.entries[0].worst;
    const struct layer *first = subject(rule_alert->layers, ranking.entries[0].layer, worst);
    rule_alert->score = worst->reported_score;
    alert_describe(alert, first->id == 0 ? NULL : first->name, worst, rule_alert->text);
}

static void open_alert(struct rule_alert *rule_alert, const struct episode *episode)
{
    if (!rule_alert->is_open) {
        rule_alert->is_open = true;
        rule_alert->is_open_reported = false;
        memset(&rule_alert->open, 0, sizeof rule_alert->open);
        rule_alert->open.rule = episode->rule;
        rule_alert->open.severity = rule_table[episode->rule].severity;
        rule_alert->open.state = ALERT_FIRING;
        rule_alert->open.started_step = EPISODE_NEVER;
        rule_alert->open.resolved_step = -1;
    }
    if (episode->start < rule_alert->open.started_step ||
        (episode->start == rule_alert->open.started_step &&
            episode->start_time < rule_alert->open.started_at)) {
        rule_alert->open.started_step = episode->start;
        rule_alert->open.started_at = episode->start_time;
    }
}

static void resolve_alert(struct rule_alert *rule_alert, const struct episode *episode)
{
    refresh_open(rule_alert, episode);
    episode_close(rule_alert->layers, episode);
    rule_alert->ended = rule_alert->open;
    rule_alert->ended.state = ALERT_RESOLVED;
    rule_alert->ended.resolved_step = episode->end;
    rule_alert->ended.resolved_at = episode->end_time;
    rule_alert->is_ended_reported = rule_alert->is_open_reported;
    rule_alert->is_ended = true;
    rule_alert->is_open = false;
}

static bool find_episode(
    const struct rule_alert *rule_alert, double cooldown, struct episode *episode)
{
    return episode_find(rule_alert->layers, rule_alert->rule, cooldown, episode);
}

void rule_alert_update(struct rule_alert *rule_alert, double cooldown)
{
    struct episode episode;
    rule_alert->has_changed = true;
    rule_alert->resolve_step = EPISODE_NEVER;
    while (find_episode(rule_alert, cooldown, &episode)) {
        open_alert(rule_alert, &episode);
        if (episode.end == SPELL_OPEN)
            return;
        rule_alert->resolve_step = episode.end + (int64_t)episode.cooldown;
        if (!is_judged_to_the_end(rule_alert))
            return;
        resolve_alert(rule_alert, &episode);
        rule_alert->resolve_step = EPISODE_NEVER;
    }
}

const struct alert *rule_alert_open(struct rule_alert *rule_alert, double cooldown)
{
    struct episode episode;
    if (!rule_alert->is_open || !find_episode(rule_alert, cooldown, &episode))
        return NULL;
    refresh_open(rule_alert, &episode);
    return &rule_alert->open;
}

static void report_alert(struct rule_alert *rule_alert, struct alert *alert,
    enum alert_change change, alert_changed_fn changed, void *ctx)
{
    rule_alert->reporting = alert;
    changed(ctx, change, alert);
    rule_alert->reporting = NULL;
}

static void note_reported(struct rule_alert *rule_alert)
{
    rule_alert->is_open_reported = true;
    rule_alert->reported.layers = rule_alert->open.layer_total;
    rule_alert->reported.observed = rule_alert->open.observed;
    rule_alert->reported.severity = rule_alert->open.severity;
    rule_alert->reported.score = rule_alert->score;
}

static bool differs_from_reported(const struct rule_alert *rule_alert)
{
    return rule_alert->open.layer_total != rule_alert->reported.layers ||
           rule_alert->open.observed != rule_alert->reported.observed ||
           rule_alert->open.severity != rule_alert->reported.severity ||
           track_is_worse(rule_alert->score, rule_alert->reported.score);
}

static void report_open(
    struct rule_alert *rule_alert, double cooldown, alert_changed_fn changed, void *ctx)
{
    if (!rule_alert->has_changed || rule_alert_open(rule_alert, cooldown) == NULL)
        return;
    rule_alert->has_changed = false;
    if (rule_alert->is_open_reported && !differs_from_reported(rule_alert))
        return;
    enum alert_change change =
        rule_alert->is_open_reported ? ALERT_CHANGE_UPDATED : ALERT_CHANGE_OPENED;
    note_reported(rule_alert);
    report_alert(rule_alert, &rule_alert->open, change, changed, ctx);
}

void rule_alert_report(
    struct rule_alert *rule_alert, double cooldown, alert_changed_fn changed, void *ctx)
{
    if (rule_alert->is_ended) {
        rule_alert->is_ended = false;
        if (!rule_alert->is_ended_reported)
            report_alert(rule_alert, &rule_alert->ended, ALERT_CHANGE_OPENED, changed, ctx);
        report_alert(rule_alert, &rule_alert->ended, ALERT_CHANGE_RESOLVED, changed, ctx);
    }
    report_open(rule_alert, cooldown, changed, ctx);
}

void rule_alert_discard(struct rule_alert *rule_alert, double cooldown)
{
    const struct alert *open = rule_alert_open(rule_alert, cooldown);
    rule_alert->is_ended = false;
    if (open != NULL && open->id != 0)
        note_reported(rule_alert);
}

bool rule_alert_bind(struct rule_alert *rule_alert, int64_t id)
{
    struct alert *alert = rule_alert->reporting ? rule_alert->reporting
                          : rule_alert->is_open ? &rule_alert->open
                                                : NULL;
    if (alert == NULL)
        return false;
    alert->id = id;
    return true;
}
