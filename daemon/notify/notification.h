/* One alert to notify of: its text from the outbox, parsed. Pure. */
#ifndef FORESHOCK_NOTIFY_NOTIFICATION_H
#define FORESHOCK_NOTIFY_NOTIFICATION_H

#include <jansson.h>

struct notification {
    const char *event; /* firing, updated, resolved */
    json_t *alert;     /* an object with the members of reader_due.alert */
};

/* 0, or -1: `alert` is no JSON object, or memory is short. Borrows `event`. */
int notification_open(struct notification *notification, const char *event, const char *alert);
void notification_close(struct notification *notification);

/* Members of the alert; "" or 0 where they are missing or null. */
const char *notification_text(const struct notification *notification, const char *key);
double notification_number(const struct notification *notification, const char *key);

/* The layers in one line, separated by ", ": a new string, NULL if memory is short. */
char *notification_layers(const struct notification *notification);

/* The page of the run under `external_url`: a new string, "" without one; NULL if memory is short. */
char *notification_url(const struct notification *notification, const char *external_url);

#endif
