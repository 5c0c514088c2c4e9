/* Commits of the store as events. On the writer thread. */
#include "daemon/http/events_sink.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/http/events.h"
#include "daemon/http/objects.h"
#include "daemon/store/alert_row.h"

static void publish_event(
    struct events *events, const char *type, const char *run_key, struct emitter *json)
{
    char *text = emitter_take(json);

    /* Without memory: an empty object, whose id keeps the order; the next question finds the data.
     */
    events_publish(events, type, run_key, text ? text : "{}");
    free(text);
}

static bool same_sample(
    const struct store_committed_figure *a, const struct store_committed_figure *b)
{
    return a->figure->run == b->figure->run && a->figure->layer == b->figure->layer &&
           a->figure->step == b->figure->step && a->figure->attempt == b->figure->attempt;
}

static void publish_figures(void *ctx, const struct store_committed_figure *figures, size_t count)
{
    size_t begin = 0;

    while (begin < count) {
        size_t end = begin + 1;
        while (end < count && same_sample(&figures[begin], &figures[end]))
            end++;
        struct emitter json = {0};
        objects_sample(&json, &figures[begin], end - begin);
        publish_event(ctx, "sample", figures[begin].run_key, &json);
        begin = end;
    }
}

static void publish_alert(void *ctx, const char *run_key, const struct store_alert *alert)
{
    struct emitter json = {0};

    emitter_open(&json, '{');
    objects_alert_members(&json, run_key, alert);
    emitter_close(&json, '}');
    publish_event(ctx, "alert", run_key, &json);
}

static void publish_run(void *ctx, const struct store_run *run)
{
    struct emitter json = {0};

    emitter_open(&json, '{');
    objects_run_members(&json, run);
    emitter_close(&json, '}');
    publish_event(ctx, "run", run->key, &json);
}

struct store_sink events_sink(struct events *events)
{
    return (struct store_sink){
        .figures = publish_figures, .alert = publish_alert, .run = publish_run, .ctx = events};
}

void events_sink_unrecorded(struct events *events, const struct alert_record *record, bool silenced)
{
    struct alert_row_json json;

    if (alert_row_json_make(&json, record) == 0) {
        struct store_alert row = alert_row(record, &json);

        row.silenced = silenced;
        publish_alert(events, record->run_key, &row);
    }
    alert_row_json_free(&json);
}
