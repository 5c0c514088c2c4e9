/* Labels, annotations and times; see alertmanager.h. */
#include "daemon/notify/alertmanager.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH     "/api/v2/alerts"
#define TIME_MAX 40

void alertmanager_url(const char *url, char full[NOTIFIER_URL_MAX])
{
    size_t size = strlen(url), path = strlen(PATH);

    while (size > 0 && url[size - 1] == '/')
        size--;
    bool whole = size >= path && strncmp(url + size - path, PATH, path) == 0;
    snprintf(full, NOTIFIER_URL_MAX, "%.*s%s", (int)size, url, whole ? "" : PATH);
}

/* sigma_growth becomes ForeshockSigmaGrowth. */
static void make_name(char *name, size_t size, const char *rule)
{
    size_t used = (size_t)snprintf(name, size, "Foreshock");
    bool begins = true;

    for (; *rule && used + 1 < size; rule++) {
        if (*rule != '_')
            name[used++] = (char)(begins ? toupper((unsigned char)*rule) : *rule);
        begins = *rule == '_';
    }
    name[used] = '\0';
}

/* RFC 3339, in milliseconds. */
static void make_time(char text[TIME_MAX], double seconds)
{
    time_t whole = (time_t)floor(seconds);
    int milliseconds = (int)floor(1000 * (seconds - (double)whole));
    char date[32];
    struct tm utc;

    gmtime_r(&whole, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, TIME_MAX, "%s.%03dZ", date, milliseconds);
}

static json_t *make_labels(
    const struct notifier_settings *settings, const struct notification *notification)
{
    char name[128], host[256] = "";
    json_t *labels;

    make_name(name, sizeof name, notification_text(notification, "rule"));
    gethostname(host, sizeof host - 1);
    labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", "alertname", name, "severity",
        notification_text(notification, "severity"), "run", notification_text(notification, "run"),
        "rule", notification_text(notification, "rule"), "instance", host);
    for (size_t i = 0; labels && i < settings->label_count; i++)
        json_object_set_new(
            labels, settings->labels[i].name, json_string(settings->labels[i].value));
    return labels;
}

static json_t *make_annotations(const struct notification *notification)
{
    char step[32], *layers = notification_layers(notification);
    json_t *annotations = NULL;

    snprintf(step, sizeof step, "%.0f", notification_number(notification, "started_step"));
    if (layers)
        annotations = json_pack("{s:s, s:s, s:s, s:s}", "summary",
            notification_text(notification, "title"), "description",
            notification_text(notification, "summary"), "layers", layers, "step", step);
    free(layers);
    return annotations;
}

/* `ends`: when it was resolved, or until when it is believed to fire. */
static int add(json_t *body, const struct notifier_settings *settings,
    const struct notification *notification, double ends)
{
    double starts = notification_number(notification, "started_at");
    char starts_text[TIME_MAX], ends_text[TIME_MAX];
    char *url = notification_url(notification, settings->external_url);
    json_t *alert = NULL;

    make_time(starts_text, starts);
    make_time(
        ends_text, ends > starts ? ends : starts); /* it refuses an end before the beginning */
    if (url)
        alert = json_pack("{s:o, s:o, s:s, s:s}", "labels", make_labels(settings, notification),
            "annotations", make_annotations(notification), "startsAt", starts_text, "endsAt",
            ends_text);
    if (alert && url[0])
        json_object_set_new(alert, "generatorURL", json_string(url));
    free(url);
    return json_array_append_new(body, alert);
}

int alertmanager_add(json_t *body, const struct notifier_settings *settings,
    const struct notification *notification, double now)
{
    return add(body, settings, notification,
        now + ALERTMANAGER_BELIEVED_INTERVALS * (double)settings->resend_seconds);
}

static int add_all(json_t *body, const struct notifier_settings *settings,
    const struct notification *notification, const struct notification *noticed, double now)
{
    double resolved_at = notification_number(notification, "resolved_at");

    if (noticed &&
        strcmp(notification_text(noticed, "severity"),
            notification_text(notification, "severity")) != 0 &&
        add(body, settings, noticed, now) != 0)
        return -1;
    if (strcmp(notification->event, "resolved") != 0)
        return alertmanager_add(body, settings, notification, now);
    return add(
        body, settings, notification, resolved_at > 0 && resolved_at < now ? resolved_at : now);
}

char *alertmanager_body(const struct notifier_settings *settings,
    const struct notification *notification, const struct notification *noticed, double now)
{
    json_t *body = json_array();
    char *text = body && add_all(body, settings, notification, noticed, now) == 0
                     ? json_dumps(body, JSON_COMPACT)
                     : NULL;

    json_decref(body);
    return text;
}
