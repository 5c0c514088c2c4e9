/* Alerts as Alertmanager wants them: bodies of POST /api/v2/alerts. Pure.
 *
 * The labels say which alert it is: alertname (ForeshockSigmaGrowth), severity, run, rule, instance
 * and those of the configuration; nothing in them changes while it fires, but the severity, whose
 * change is the end of one alert and the beginning of another. Alertmanager takes an alert that it
 * hears no more of for resolved: each that fires says until when it is to be believed. */
#ifndef FORESHOCK_NOTIFY_ALERTMANAGER_H
#define FORESHOCK_NOTIFY_ALERTMANAGER_H

#include "daemon/notify/notification.h"
#include "daemon/notify/settings.h"

/* An alert that is not heard of for so many resend intervals is over. */
#define ALERTMANAGER_BELIEVED_INTERVALS 4

/* Where to POST, given the base address or the whole one. */
void alertmanager_url(const char *url, char full[NOTIFIER_URL_MAX]);

/* The alert of `notification`; `noticed` is how it was last notified to fire, NULL if it was not: if its labels
 * were others, it ends in the same body. A new string, NULL if memory is short. */
char *alertmanager_body(const struct notifier_settings *settings,
    const struct notification *notification, const struct notification *noticed, double now);

/* Adds an alert that fires to `body`, an array that is sent again. 0, or -1: memory is short. */
int alertmanager_add(json_t *body, const struct notifier_settings *settings,
    const struct notification *notification, double now);

#endif
