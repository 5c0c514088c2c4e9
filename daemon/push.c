/* Alerts from the writer thread to the clients; see push.h. */
#include "daemon/push.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

struct post {
    struct runs *runs;
    char *run_key, *rule, *severity, *state, *title, *summary;
    json_t *layers;
    uint64_t id, step;
};

static void post_free(struct post *post)
{
    free(post->run_key);
    free(post->rule);
    free(post->severity);
    free(post->state);
    free(post->title);
    free(post->summary);
    json_decref(post->layers);
    free(post);
}

static struct post *post_new(
    struct runs *runs, const char *run_key, const struct store_alert *alert)
{
    struct post *post = calloc(1, sizeof *post);

    if (!post)
        return NULL;
    post->runs = runs;
    post->run_key = strdup(run_key);
    post->rule = strdup(alert->rule);
    post->severity = strdup(alert->severity);
    post->state = strdup(alert->state);
    post->title = strdup(alert->title);
    post->summary = strdup(alert->summary);
    post->layers = json_loads(alert->layers, 0, NULL);
    post->id = (uint64_t)alert->id;
    post->step = (uint64_t)alert->started_step;
    if (post->run_key && post->rule && post->severity && post->state && post->title &&
        post->summary && post->layers)
        return post;
    post_free(post);
    return NULL;
}

static void on_loop(void *arg)
{
    struct post *post = arg;
    struct wire_str layers[WIRE_ALERT_LAYERS_MAX];
    size_t count = 0, i;
    json_t *name;

    json_array_foreach (post->layers, i, name) {
        if (count < WIRE_ALERT_LAYERS_MAX && json_is_string(name))
            layers[count++] = wire_str(json_string_value(name));
    }
    runs_alert(post->runs, post->run_key,
        &(struct wire_alert){
            .id = post->id,
            .rule = wire_str(post->rule),
            .severity = wire_str(post->severity),
            .state = wire_str(post->state),
            .title = wire_str(post->title),
            .summary = wire_str(post->summary),
            .layers = layers,
            .layers_count = count,
            .step = post->step,
        });
    post_free(post);
}

void push_alert(struct mailbox *mailbox, struct runs *runs, const char *run_key,
    const struct store_alert *alert)
{
    struct post *post;

    if (alert->observed)
        return;
    post = post_new(runs, run_key, alert);
    if (post && mailbox_post(mailbox, on_loop, post) == 0)
        return;
    if (post)
        post_free(post);
    log_error("an alert is not told to the training: memory is short", LOG_STR("run", run_key));
}
