/* The alerts of one rule: the one that is open, and the last that ended. Read off the layers' spells
 * (episode.h); reported once for each change. Owned by the engine. */
#ifndef FORESHOCK_ALERTS_RULE_ALERT_H
#define FORESHOCK_ALERTS_RULE_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/alert.h"
#include "daemon/alerts/layers.h"

/* Steps: a layer that is further behind the newest one is not waited for. */
#define RULE_ALERT_LAG_MAX 1000

struct rule_alert {
    enum alert_rule rule;
    const struct layers *layers;
    bool is_open, is_open_reported;
    bool has_changed; /* spells began or ended since the last report */
    bool is_ended, is_ended_reported;
    struct alert open, ended;
    double score; /* of the first evidence of the open alert */
    struct {      /* the open alert as it was last reported */
        size_t layers;
        bool observed;
        enum alert_severity severity;
        double score;
    } reported;
    struct alert *reporting; /* while the report calls back */
    int64_t resolve_step;    /* once all layers are judged up to here the open alert is resolved;
                                EPISODE_NEVER: not in sight */
    size_t behind;        /* watches that were not, when last counted, less those that came since */
    int64_t counted_step; /* the newest step of a judgement then */
    char text[ALERT_TEXT_MAX]; /* of a condition: what was found */
};

void rule_alert_init(
    struct rule_alert *rule_alert, enum alert_rule rule, const struct layers *layers);

/* Brings the alerts up to the spells, after one began, ended or got new evidence. */
void rule_alert_update(struct rule_alert *rule_alert, double cooldown);

/* A watch is judged up to `to`, up to `from` before. True if the open alert may be due to be
 * resolved: update it then. */
bool rule_alert_is_due(struct rule_alert *rule_alert, int64_t from, int64_t to);

/* The open alert as of now, NULL if there is none. */
const struct alert *rule_alert_open(struct rule_alert *rule_alert, double cooldown);

/* Reports what changed since the last report. */
void rule_alert_report(
    struct rule_alert *rule_alert, double cooldown, alert_changed_fn changed, void *ctx);

/* Takes what changed for reported, but for the opening of an alert that has no id. */
void rule_alert_discard(struct rule_alert *rule_alert, double cooldown);

/* Gives the open alert, or within the report the one being reported, an id. False: there is none. */
bool rule_alert_bind(struct rule_alert *rule_alert, int64_t id);

#endif
