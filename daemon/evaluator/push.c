/* Alerts from the writer thread to the clients; see push.h. */
#include "daemon/evaluator/push.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/log.h"

struct post {
    struct push *push;
    char *run_key, *rule, *severity, *state, *title, *summary;
    json_t *layers;
    uint64_t id, step;
    bool fires; /* may be told to who comes later */
    bool told;  /* is told now */
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
    struct push *push, const char *run_key, const struct store_alert *alert)
{
    struct post *post = calloc(1, sizeof *post);
    bool firing = strcmp(alert->state, "firing") == 0;

    if (!post)
        return NULL;
    post->push = push;
    post->fires = firing && !alert->observed && !alert->silenced;
    post->told = firing ? post->fires : alert->announced;
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

static void tell(const struct post *post)
{
    struct wire_str layers[WIRE_ALERT_LAYERS_MAX];
    size_t count = 0, i;
    json_t *name;

    json_array_foreach (post->layers, i, name) {
        if (count < WIRE_ALERT_LAYERS_MAX && json_is_string(name))
            layers[count++] = wire_str(json_string_value(name));
    }
    runs_alert(post->push->runs, post->run_key,
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
}

static void on_loop(void *arg)
{
    struct post *post = arg;

    announced_put(post->push->announced, (int64_t)post->id, post->fires);
    if (post->told && post->push->runs)
        tell(post);
    post_free(post);
}

void push_alert(struct push *push, const char *run_key, const struct store_alert *alert)
{
    struct post *post = post_new(push, run_key, alert);

    if (post && mailbox_post(push->mailbox, on_loop, post) == 0)
        return;
    if (post)
        post_free(post);
    log_error("an alert is not told to the training: memory is short", LOG_STR("run", run_key));
}
