/* Alerts as JSON objects for any receiver (docs/operations.md), or in the shape of a user's template.
 * Pure. */
#ifndef FORESHOCK_NOTIFY_WEBHOOK_H
#define FORESHOCK_NOTIFY_WEBHOOK_H

#include "daemon/notify/notification.h"
#include "daemon/notify/settings.h"

#define WEBHOOK_VERSION 1 /* a change that breaks receivers raises it */

/* A new string, NULL if memory is short. */
char *webhook_body(
    const struct notifier_settings *settings, const struct notification *notification);

#endif
