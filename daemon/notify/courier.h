/* Carries one body at a time to a receiver, over HTTP or HTTPS, by libcurl. Belongs to one thread,
 * but for courier_interrupt. curl_global_init must have been called. */
#ifndef FORESHOCK_NOTIFY_COURIER_H
#define FORESHOCK_NOTIFY_COURIER_H

#include "daemon/notify/settings.h"

#define COURIER_TEXT_MAX 256

struct courier;

/* What came of it. */
struct courier_reply {
    long status;                 /* 0: no answer, and then `text` says why */
    double retry_after;          /* seconds; 0: not given */
    char text[COURIER_TEXT_MAX]; /* else the beginning of what the receiver said */
};

/* `settings` must outlive it. NULL: memory is short. */
struct courier *courier_new(const struct notifier_settings *settings);
void courier_free(struct courier *courier); /* safe on NULL */

/* POSTs `body` to `url`; follows no redirect. `key`: the Idempotency-Key, NULL for none. Waits for
 * the answer, timeout_seconds at most. */
void courier_post(struct courier *courier, const char *url, const char *body, const char *key,
    struct courier_reply *reply);

/* Any thread: the post in hand, and every later one, ends at once without an answer. */
void courier_interrupt(struct courier *courier);

#endif
