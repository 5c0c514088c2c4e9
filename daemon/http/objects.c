/* Rows of the store to JSON. */
#include "daemon/http/objects.h"

void objects_time_or_null(struct emitter *json, double time)
{
    if (time > 0)
        emitter_real(json, time);
    else
        emitter_null(json);
}

static void step_or_null(struct emitter *json, int64_t step)
{
    if (step >= 0)
        emitter_int(json, step);
    else
        emitter_null(json);
}

void objects_run_members(struct emitter *json, const struct store_run *run)
{
    emitter_key(json, "id");
    emitter_text(json, run->key);
    emitter_key(json, "name");
    emitter_text(json, run->name);
    emitter_key(json, "state");
    emitter_text(json, run_state_names[run->state]);
    emitter_key(json, "started_at");
    emitter_real(json, run->started_at);
    emitter_key(json, "last_step");
    step_or_null(json, run->last_step);
    emitter_key(json, "last_seen_at");
    emitter_real(json, run->last_seen_at);
    emitter_key(json, "tags");
    emitter_raw(json, run->tags);
    emitter_key(json, "dropped");
    emitter_int(json, (int64_t)run->dropped);
}

void objects_alert_members(
    struct emitter *json, const char *run_key, const struct store_alert *alert)
{
    emitter_key(json, "id");
    emitter_int(json, alert->id);
    emitter_key(json, "run");
    emitter_text(json, run_key);
    emitter_key(json, "attempt");
    emitter_int(json, alert->attempt);
    emitter_key(json, "rule");
    emitter_text(json, alert->rule);
    emitter_key(json, "severity");
    emitter_text(json, alert_severity_names[alert->severity]);
    emitter_key(json, "state");
    emitter_text(json, alert_state_names[alert->state]);
    emitter_key(json, "recorded");
    emitter_bool(json, alert->recorded);
    emitter_key(json, "observed");
    emitter_bool(json, alert->observed);
    emitter_key(json, "silenced");
    emitter_bool(json, alert->silenced);
    emitter_key(json, "title");
    emitter_text(json, alert->title);
    emitter_key(json, "summary");
    emitter_text(json, alert->summary);
    emitter_key(json, "layers");
    emitter_raw(json, alert->layers);
    emitter_key(json, "started_step");
    step_or_null(json, alert->started_step);
    emitter_key(json, "started_at");
    emitter_real(json, alert->started_at);
    emitter_key(json, "last_step");
    step_or_null(json, alert->last_step);
    emitter_key(json, "resolved_at");
    objects_time_or_null(json, alert->resolved_at);
    emitter_key(json, "evidence");
    emitter_raw(json, alert->evidence);
}

void objects_sample(
    struct emitter *json, const struct store_committed_figure *figures, size_t count)
{
    const struct figure *first = figures[0].figure;

    emitter_open(json, '{');
    emitter_key(json, "run");
    emitter_text(json, figures[0].run_key);
    emitter_key(json, "layer");
    emitter_text(json, figures[0].layer);
    emitter_key(json, "step");
    emitter_int(json, first->step);
    emitter_key(json, "attempt");
    emitter_int(json, first->attempt);
    emitter_key(json, "time");
    emitter_real(json, first->time);
    emitter_key(json, "values");
    emitter_open(json, '{');
    for (size_t i = 0; i < count; i++) {
        emitter_key(json, figures[i].figure->metric);
        emitter_real(json, figures[i].figure->value);
    }
    emitter_close(json, '}');
    emitter_close(json, '}');
}
