/* The object, and the values of templates; see webhook.h. */
#include "daemon/notify/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/notify/template.h"

static char *fill_template(const char *template, const struct story *story, const char *url)
{
    char id[32], step[32], *layers = story_layers(story), *body = NULL;

    snprintf(id, sizeof id, "%.0f", story_number(story, "id"));
    snprintf(step, sizeof step, "%.0f", story_number(story, "started_step"));
    if (layers)
        body = template_fill(
            template, (const char *const[TEMPLATE_NAME_COUNT]){
                          [TEMPLATE_TITLE] = story_text(story, "title"),
                          [TEMPLATE_SUMMARY] = story_text(story, "summary"),
                          [TEMPLATE_SEVERITY] = story_text(story, "severity"),
                          [TEMPLATE_RUN] = story_text(story, "run"),
                          [TEMPLATE_RULE] = story_text(story, "rule"),
                          [TEMPLATE_EVENT] = story->event,
                          [TEMPLATE_URL] = url,
                          [TEMPLATE_ID] = id,
                          [TEMPLATE_STEP] = step,
                          [TEMPLATE_LAYERS] = layers,
                          [TEMPLATE_PAGERDUTY_ACTION] =
                              strcmp(story->event, "resolved") == 0 ? "resolve" : "trigger",
                      });
    free(layers);
    return body;
}

/* The alert's members stand in the outbox under the same names. */
static char *make_object(const struct story *story, const char *url)
{
    json_t *object = json_pack("{s:i, s:s}", "version", WEBHOOK_VERSION, "event", story->event);
    char *body = NULL;

    if (object && json_object_update(object, story->alert) == 0 &&
        json_object_set_new(object, "url", url[0] ? json_string(url) : json_null()) == 0)
        body = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return body;
}

char *webhook_body(const struct notifier_settings *settings, const struct story *story)
{
    char *url = story_url(story, settings->external_url), *body = NULL;

    if (url)
        body = settings->template[0] ? fill_template(settings->template, story, url)
                                     : make_object(story, url);
    free(url);
    return body;
}
