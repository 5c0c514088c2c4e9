/* Rows of the store to JSON. */
#include "daemon/http/objects.h"

void objects_time_or_null(struct emitter *json, double time)
{
    if (time > 0)
        emit_real(json, time);
    else
        emit_null(json);
}

static void step_or_null(struct emitter *json, int64_t step)
{
    if (step >= 0)
        emit_int(json, step);
    else
        emit_null(json);
}

void objects_run_members(struct emitter *json, const struct store_run *run)
{
    emit_key(json, "id");
    emit_text(json, run->key);
    emit_key(json, "name");
    emit_text(json, run->name);
    emit_key(json, "state");
    emit_text(json, run->state);
    emit_key(json, "started_at");
    emit_real(json, run->started_at);
    emit_key(json, "last_step");
    step_or_null(json, run->last_step);
    emit_key(json, "last_seen_at");
    emit_real(json, run->last_seen_at);
    emit_key(json, "tags");
    emit_raw(json, run->tags);
    emit_key(json, "dropped");
    emit_int(json, (int64_t)run->dropped);
}

void objects_alert_members(
    struct emitter *json, const char *run_key, const struct store_alert *alert)
{
    emit_key(json, "id");
    emit_int(json, alert->id);
    emit_key(json, "run");
    emit_text(json, run_key);
    emit_key(json, "attempt");
    emit_int(json, alert->attempt);
    emit_key(json, "rule");
    emit_text(json, alert->rule);
    emit_key(json, "severity");
    emit_text(json, alert->severity);
    emit_key(json, "state");
    emit_text(json, alert->state);
    emit_key(json, "recorded");
    emit_bool(json, alert->recorded);
    emit_key(json, "observed");
    emit_bool(json, alert->observed);
    emit_key(json, "silenced");
    emit_bool(json, alert->silenced);
    emit_key(json, "title");
    emit_text(json, alert->title);
    emit_key(json, "summary");
    emit_text(json, alert->summary);
    emit_key(json, "layers");
    emit_raw(json, alert->layers);
    emit_key(json, "started_step");
    step_or_null(json, alert->started_step);
    emit_key(json, "started_at");
    emit_real(json, alert->started_at);
    emit_key(json, "last_step");
    step_or_null(json, alert->last_step);
    emit_key(json, "resolved_at");
    objects_time_or_null(json, alert->resolved_at);
    emit_key(json, "evidence");
    emit_raw(json, alert->evidence);
}

void objects_sample(struct emitter *json, const struct store_told_figure *figures, size_t count)
{
    const struct figure *first = figures[0].figure;

    emit_open(json, '{');
    emit_key(json, "run");
    emit_text(json, figures[0].run_key);
    emit_key(json, "layer");
    emit_text(json, figures[0].layer);
    emit_key(json, "step");
    emit_int(json, first->step);
    emit_key(json, "attempt");
    emit_int(json, first->attempt);
    emit_key(json, "time");
    emit_real(json, first->time);
    emit_key(json, "values");
    emit_open(json, '{');
    for (size_t i = 0; i < count; i++) {
        emit_key(json, figures[i].figure->metric);
        emit_real(json, figures[i].figure->value);
    }
    emit_close(json, '}');
    emit_close(json, '}');
}
