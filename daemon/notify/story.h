/* One alert to notify of: its text from the outbox, parsed. Pure. */
#ifndef FORESHOCK_NOTIFY_STORY_H
#define FORESHOCK_NOTIFY_STORY_H

#include <jansson.h>

struct story {
    const char *event; /* firing, updated, resolved */
    json_t *alert;     /* an object with the members of reader_due.alert */
};

/* 0, or -1: `alert` is no JSON object, or memory is short. Borrows `event`. */
int story_open(struct story *story, const char *event, const char *alert);
void story_close(struct story *story);

/* Members of the alert; "" or 0 where they are missing or null. */
const char *story_text(const struct story *story, const char *key);
double story_number(const struct story *story, const char *key);

/* The layers in one line, separated by ", ": a new string, NULL if memory is short. */
char *story_layers(const struct story *story);

/* The page of the run under `external_url`: a new string, "" without one; NULL if memory is short. */
char *story_url(const struct story *story, const char *external_url);

#endif
