/* The object, and the values of templates; see webhook.h. */
#include "daemon/notify/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/notify/template.h"

static char *fill_template(
    const char *template, const struct notification *notification, const char *url)
{
    char id[32], step[32], *layers = notification_layers(notification), *body = NULL;

    snprintf(id, sizeof id, "%.0f", notification_number(notification, "id"));
    snprintf(step, sizeof step, "%.0f", notification_number(notification, "started_step"));
    if (layers)
        body = template_fill(
            template, (const char *const[TEMPLATE_NAME_COUNT]){
                          [TEMPLATE_TITLE] = notification_text(notification, "title"),
                          [TEMPLATE_SUMMARY] = notification_text(notification, "summary"),
                          [TEMPLATE_SEVERITY] = notification_text(notification, "severity"),
                          [TEMPLATE_RUN] = notification_text(notification, "run"),
                          [TEMPLATE_RULE] = notification_text(notification, "rule"),
                          [TEMPLATE_EVENT] = notification->event,
                          [TEMPLATE_URL] = url,
                          [TEMPLATE_ID] = id,
                          [TEMPLATE_STEP] = step,
                          [TEMPLATE_LAYERS] = layers,
                          [TEMPLATE_PAGERDUTY_ACTION] =
                              strcmp(notification->event, "resolved") == 0 ? "resolve" : "trigger",
                      });
    free(layers);
    return body;
}

/* The alert's members stand in the outbox under the same names. */
static char *make_object(const struct notification *notification, const char *url)
{
    json_t *object =
        json_pack("{s:i, s:s}", "version", WEBHOOK_VERSION, "event", notification->event);
    char *body = NULL;

    if (object && json_object_update(object, notification->alert) == 0 &&
        json_object_set_new(object, "url", url[0] ? json_string(url) : json_null()) == 0)
        body = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return body;
}

char *webhook_body(
    const struct notifier_settings *settings, const struct notification *notification)
{
    char *url = notification_url(notification, settings->external_url), *body = NULL;

    if (url)
        body = settings->template[0] ? fill_template(settings->template, notification, url)
                                     : make_object(notification, url);
    free(url);
    return body;
}
