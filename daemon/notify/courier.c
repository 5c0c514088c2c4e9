/* One easy handle, which keeps its connection, driven by a multi handle, which can be woken. */
#include "daemon/notify/courier.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/limits.h"

#define CONNECT_SECONDS 5L
#define POLL_MS         1000

struct courier {
    const struct notifier_settings *settings;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers; /* those that do not change */
    atomic_bool interrupted;
    char why[CURL_ERROR_SIZE];
    struct courier_reply *reply; /* of the post in hand */
    size_t received;
};

/* Keeps the beginning of the answer; one that goes on for too long is cut off. */
static size_t on_body(char *data, size_t unit, size_t count, void *ctx)
{
    struct courier *courier = ctx;
    size_t size = unit * count, used = strlen(courier->reply->text);

    snprintf(courier->reply->text + used, COURIER_TEXT_MAX - used, "%.*s",
        size < COURIER_TEXT_MAX ? (int)size : COURIER_TEXT_MAX, data);
    courier->received += size;
    return courier->received <= LIMIT_RESPONSE_BYTES ? size : 0;
}

static int add_header(struct curl_slist **list, const char *name, const char *value)
{
    char *line = NULL;
    struct curl_slist *longer = NULL;

    if (asprintf(&line, "%s%s", name, value) >= 0) {
        longer = curl_slist_append(*list, line);
        free(line);
    }
    if (!longer)
        return -1;
    *list = longer;
    return 0;
}

static int make_curl_headers(struct courier *courier)
{
    const struct notifier_settings *settings = courier->settings;
    int rc = add_header(&courier->headers, "Content-Type: ", "application/json") |
             add_header(&courier->headers, "Expect:", "");

    if (settings->bearer[0])
        rc |= add_header(&courier->headers, "Authorization: Bearer ", settings->bearer);
    for (size_t i = 0; i < settings->header_count; i++)
        rc |= add_header(&courier->headers, settings->headers[i], "");
    return rc;
}

/* A receiver on this machine is not reached through a proxy that is set for the web. */
static bool is_near(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool near = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                    strcmp(host, "[::1]") == 0);

    curl_free(host);
    curl_url_cleanup(parts);
    return near;
}

static void set_curl_options(struct courier *courier)
{
    const struct notifier_settings *settings = courier->settings;
    CURL *easy = courier->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)settings->timeout_seconds);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a stop does not wait for a resolver */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "foreshock/" FORESHOCK_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, courier->why);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, courier);
    if (settings->ca_file[0])
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (is_near(settings->url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

struct courier *courier_new(const struct notifier_settings *settings)
{
    struct courier *courier = calloc(1, sizeof *courier);

    if (!courier)
        return NULL;
    courier->settings = settings;
    courier->easy = curl_easy_init();
    courier->multi = curl_multi_init();
    if (courier->easy && courier->multi && make_curl_headers(courier) == 0) {
        set_curl_options(courier);
        return courier;
    }
    courier_free(courier);
    return NULL;
}

void courier_free(struct courier *courier)
{
    if (!courier)
        return;
    curl_easy_cleanup(courier->easy);
    curl_multi_cleanup(courier->multi);
    curl_slist_free_all(courier->headers);
    free(courier);
}

/* Until there is an answer, an error or an interruption. */
static CURLcode transfer(struct courier *courier)
{
    int running = 1, left;
    CURLMcode rc = curl_multi_add_handle(courier->multi, courier->easy);
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;

    while (rc == CURLM_OK && running && !atomic_load(&courier->interrupted)) {
        rc = curl_multi_perform(courier->multi, &running);
        if (rc == CURLM_OK && running)
            rc = curl_multi_poll(courier->multi, NULL, 0, POLL_MS, NULL);
    }
    const CURLMsg *message = running ? NULL : curl_multi_info_read(courier->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        result = message->data.result;
    curl_multi_remove_handle(courier->multi, courier->easy);
    return result;
}

static void read_reply(struct courier *courier, CURLcode result)
{
    struct courier_reply *reply = courier->reply;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(courier->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(courier->easy, CURLINFO_RETRY_AFTER, &retry_after);
    reply->retry_after = retry_after > 0 ? (double)retry_after : 0;
    /* An answer that was cut off for its length is one; else half an answer is none. */
    if (result == CURLE_OK || result == CURLE_WRITE_ERROR)
        return;
    reply->status = 0;
    snprintf(reply->text, COURIER_TEXT_MAX, "%.*s", COURIER_TEXT_MAX - 1,
        courier->why[0] ? courier->why : curl_easy_strerror(result));
}

void courier_post(struct courier *courier, const char *url, const char *body, const char *key,
    struct courier_reply *reply)
{
    struct curl_slist first = {.data = NULL, .next = courier->headers};
    char line[160];

    snprintf(line, sizeof line, "Idempotency-Key: %s", key ? key : "");
    first.data = line;
    *reply = (struct courier_reply){0};
    courier->reply = reply;
    courier->received = 0;
    courier->why[0] = '\0';
    curl_easy_setopt(courier->easy, CURLOPT_URL, url);
    curl_easy_setopt(courier->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(courier->easy, CURLOPT_HTTPHEADER, key ? &first : courier->headers);
    read_reply(courier, transfer(courier));
    curl_easy_setopt(courier->easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(courier->easy, CURLOPT_HTTPHEADER, NULL);
}

void courier_interrupt(struct courier *courier)
{
    atomic_store(&courier->interrupted, true);
    curl_multi_wakeup(courier->multi);
}
