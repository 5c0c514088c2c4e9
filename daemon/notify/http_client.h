/* Carries one body at a time to a receiver, over HTTP or HTTPS, by libcurl. Belongs to one thread,
 * but for http_client_interrupt. curl_global_init must have been called. */
#ifndef FORESHOCK_NOTIFY_HTTP_CLIENT_H
#define FORESHOCK_NOTIFY_HTTP_CLIENT_H

#include "daemon/notify/settings.h"

#define HTTP_CLIENT_TEXT_MAX 256

struct http_client;

/* What came of it. */
struct http_client_reply {
    long status;                     /* 0: no answer, and then `text` says why */
    double retry_after;              /* seconds; 0: not given */
    char text[HTTP_CLIENT_TEXT_MAX]; /* else the beginning of what the receiver said */
};

/* `settings` must outlive it. NULL: memory is short. */
struct http_client *http_client_new(const struct notifier_settings *settings);
void http_client_free(struct http_client *http_client); /* safe on NULL */

/* POSTs `body` to `url`; follows no redirect. `key`: the Idempotency-Key, NULL for none. Waits for
 * the answer, timeout_seconds at most. */
void http_client_post(struct http_client *http_client, const char *url, const char *body,
    const char *key, struct http_client_reply *reply);

/* Any thread: the post in hand, and every later one, ends at once without an answer. */
void http_client_interrupt(struct http_client *http_client);

#endif
