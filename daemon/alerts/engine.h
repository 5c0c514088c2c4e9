/* The alerts of one attempt of one run: figures in, alerts out.
 *
 * The engine holds plain numbers and nothing else: no I/O, no clock, no thread. One thread at a
 * time may use it. What comes out depends on the set of figures that went in, not on how the
 * layers' figures were interleaved or how the figures of a step were ordered, as long as the
 * figures of a layer come in order of step and no layer lags more behind the others than
 * cross_section.h allows (CROSS_SECTION_LAG samples or CROSS_SECTION_LAG_STEPS; what comes later is judged for
 * its layer alone) and RULE_ALERT_LAG_MAX steps. So an engine that was lost is rebuilt by feeding the
 * stored figures again, in order of step:
 *
 *     engine = alert_engine_new(settings);
 *     alert_engine_layer(...)        each layer
 *     alert_engine_begins(...)       the first step of the attempt
 *     alert_engine_feed(...)         each stored figure whose metric is in alert_metric_names()
 *     alert_engine_condition(...)    each stored firing alert of run_lost and baseline_damaged
 *     alert_engine_bind(...)         each stored firing alert, at most one a rule
 *     alert_engine_discard(engine);
 *
 * alert_engine_bind answers whether the engine has that alert; one that it has not (its figures
 * were retired) is for the caller to resolve. An open alert that was not bound is reported as opened
 * by the next report, even after a discard.
 *
 * A figure reaches the tracks of a layer, one for each thing that a rule watches there; track.h
 * draws their states. The alert of a rule fires from the first spell of any of its tracks until
 * every spell has ended and `cooldown` steps passed, in all layers, without a new one; then it is
 * resolved, and a later spell opens a new alert. */
#ifndef FORESHOCK_ALERTS_ENGINE_H
#define FORESHOCK_ALERTS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/alert.h"
#include "daemon/alerts/readings.h"
#include "daemon/alerts/rule_alert.h"
#include "daemon/alerts/rules.h"

struct alert_engine;

/* Metrics that the rules read: a NULL-terminated list; the places in it are the ids. */
const char *const *alert_metric_names(void);
int alert_metric_id(const char *name); /* -1: no rule reads it */

/* The settings are copied. NULL if memory is short. */
struct alert_engine *alert_engine_new(const struct rule_settings *settings);
void alert_engine_free(struct alert_engine *engine); /* safe on NULL */

/* Other settings for all that is fed from now on. A rule, or a layer of it, that is now off has its
 * alert resolved. */
void alert_engine_retune(
    struct alert_engine *engine, const struct rule_settings *settings, double time);

/* Introduces a layer (id > 0) before its first figure; again: nothing. The texts are copied;
 * `block` "" for none. All layers of a block should be there
 * before the figures of one of them: whether an mlp.in has an mlp.gate beside it decides what its
 * diversity tells. 0, or -1: memory is short. */
int alert_engine_layer(struct alert_engine *engine, int64_t layer, const char *name,
    const char *role, const char *block);

/* The name that a layer was introduced with, NULL if it was not; "" for the run itself (0). */
const char *alert_engine_layer_name(const struct alert_engine *engine, int64_t layer);

/* The attempt began at this step or before. Steps count from here, or from the lowest step that was
 * fed if that is lower; said before the first figure, it makes the count independent of which layer
 * comes first. */
void alert_engine_begins(struct alert_engine *engine, int64_t step);

/* One figure; `layer` 0 is the run itself, `metric` an alert_metric_id (-1 is ignored), `time` in
 * seconds since 1970. Ignored: a step that is not above the newest of its layer and metric, one
 * that is negative or above INT64_MAX / 2, and a layer that was not introduced. */
void alert_engine_feed(struct alert_engine *engine, int64_t layer, int metric, int64_t step,
    double time, double value);

/* The same by the metric's name. */
void alert_engine_figure(struct alert_engine *engine, int64_t layer, const char *metric,
    int64_t step, double time, double value);

/* What the daemon itself knows: RULE_RUN_LOST and RULE_BASELINE_DAMAGED, on or off, at once.
 * `layer` 0: the run itself; a step out of range is brought into it. `text` (on only, copied, cut
 * to ALERT_TEXT_MAX) is one sentence: what was found. */
void alert_engine_condition(struct alert_engine *engine, enum alert_rule rule, int64_t layer,
    bool on, int64_t step, double time, const char *text);

/* The next assessment of the run that was not taken yet (readings.h). False if there is none. */
bool alert_engine_assessment(struct alert_engine *engine, struct assessment *assessment);

/* Reports what changed since the last report, each alert at most once (but opened and resolved when
 * it was both). Updated: its layers, its severity, its being observed only, or what it says of the
 * worst is out of date (TRACK_WORSE). The callback may call alert_engine_bind, nothing else. Without
 * a report, a rule keeps its open alert and the last that ended. */
void alert_engine_report(struct alert_engine *engine, alert_changed_fn changed, void *ctx);

/* Forgets the assessments that were not taken and the changes that were not reported, but for the
 * opening of an alert that has no id. */
void alert_engine_discard(struct alert_engine *engine);

/* The open alert of a rule as of now, NULL if none: valid until the engine is called again. */
const struct alert *alert_engine_open(struct alert_engine *engine, enum alert_rule rule);

/* Gives the open alert of a rule (or, within the callback of a report, the one being reported) the
 * caller's id (> 0). False if no such alert is there. */
bool alert_engine_bind(struct alert_engine *engine, enum alert_rule rule, int64_t id);

#endif
