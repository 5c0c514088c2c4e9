/* Queries for silences, notifiers, and what those have to deliver; see reader.h for what all have in common. */
#ifndef FORESHOCK_STORE_READER_NOTIFY_H
#define FORESHOCK_STORE_READER_NOTIFY_H

#include "daemon/store/reader.h"

/* Silences, the first to end first; `id` 0: all, else READER_NONE when it is not there. */
int reader_silences(
    struct reader *, int64_t id, void (*each)(void *ctx, const struct store_silence *), void *ctx);

struct reader_notifier {
    const char *name;
    uint64_t delivered, failed, dropped, retries; /* since it is in the configuration */
    uint64_t waiting;                             /* rows of the outbox */
};
int reader_notifiers(
    struct reader *, void (*each)(void *ctx, const struct reader_notifier *), void *ctx);

/* What a notifier has to deliver next: of the first rows of all lanes the one that is due first.
 * READER_NONE: nothing waits. */
struct reader_due {
    int64_t row, alert_id;
    const char *key;     /* of the notifier */
    const char *event;   /* firing, updated, resolved */
    const char *alert;   /* as it was then: a JSON object with the members of the API's alert, but
                            attempt, state, observed and those of acknowledging and silencing */
    const char *noticed; /* as it was last notified to fire; "": it was not */
    unsigned tries;
    double next_at; /* 0: at once */
};
int reader_due(struct reader *, const char *notifier,
    void (*each)(void *ctx, const struct reader_due *), void *ctx);

/* Alerts that fire and of which the receiver of a notifier was notified, as they were then, by id: those
 * above `after`, at most `limit`. */
struct reader_notice {
    int64_t alert_id;
    const char *alert; /* as in reader_due */
};
int reader_notices(struct reader *, const char *notifier, int64_t after, size_t limit,
    void (*each)(void *ctx, const struct reader_notice *), void *ctx);

#endif
