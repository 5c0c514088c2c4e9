/* One easy handle, which keeps its connection, driven by a multi handle, which can be woken. */
#include "daemon/notify/http_client.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/limits.h"

#define CONNECT_SECONDS 5L
#define POLL_MS         1000

struct http_client {
    const struct notifier_settings *settings;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers; /* those that do not change */
    atomic_bool interrupted;
    char why[CURL_ERROR_SIZE];
    struct http_client_reply *reply; /* of the post in hand */
    size_t received;
};

/* Keeps the beginning of the answer; one that goes on for too long is cut off. */
static size_t on_body(char *data, size_t unit, size_t count, void *ctx)
{
    struct http_client *http_client = ctx;
    size_t size = unit * count, used = strlen(http_client->reply->text);

    snprintf(http_client->reply->text + used, HTTP_CLIENT_TEXT_MAX - used, "%.*s",
        size < HTTP_CLIENT_TEXT_MAX ? (int)size : HTTP_CLIENT_TEXT_MAX, data);
    http_client->received += size;
    return http_client->received <= LIMIT_RESPONSE_BYTES ? size : 0;
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

static int make_curl_headers(struct http_client *http_client)
{
    const struct notifier_settings *settings = http_client->settings;
    int rc = add_header(&http_client->headers, "Content-Type: ", "application/json") |
             add_header(&http_client->headers, "Expect:", "");

    if (settings->bearer[0])
        rc |= add_header(&http_client->headers, "Authorization: Bearer ", settings->bearer);
    for (size_t i = 0; i < settings->header_count; i++)
        rc |= add_header(&http_client->headers, settings->headers[i], "");
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

static void set_curl_options(struct http_client *http_client)
{
    const struct notifier_settings *settings = http_client->settings;
    CURL *easy = http_client->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)settings->timeout_seconds);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a stop does not wait for a resolver */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "foreshock/" FORESHOCK_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http_client->why);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http_client);
    if (settings->ca_file[0])
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (is_near(settings->url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

struct http_client *http_client_new(const struct notifier_settings *settings)
{
    struct http_client *http_client = calloc(1, sizeof *http_client);

    if (!http_client)
        return NULL;
    http_client->settings = settings;
    http_client->easy = curl_easy_init();
    http_client->multi = curl_multi_init();
    if (http_client->easy && http_client->multi && make_curl_headers(http_client) == 0) {
        set_curl_options(http_client);
        return http_client;
    }
    http_client_free(http_client);
    return NULL;
}

void http_client_free(struct http_client *http_client)
{
    if (!http_client)
        return;
    curl_easy_cleanup(http_client->easy);
    curl_multi_cleanup(http_client->multi);
    curl_slist_free_all(http_client->headers);
    free(http_client);
}

/* Until there is an answer, an error or an interruption. */
static CURLcode transfer(struct http_client *http_client)
{
    int running = 1, left;
    CURLMcode rc = curl_multi_add_handle(http_client->multi, http_client->easy);
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;

    while (rc == CURLM_OK && running && !atomic_load(&http_client->interrupted)) {
        rc = curl_multi_perform(http_client->multi, &running);
        if (rc == CURLM_OK && running)
            rc = curl_multi_poll(http_client->multi, NULL, 0, POLL_MS, NULL);
    }
    const CURLMsg *message = running ? NULL : curl_multi_info_read(http_client->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        result = message->data.result;
    curl_multi_remove_handle(http_client->multi, http_client->easy);
    return result;
}

static void read_reply(struct http_client *http_client, CURLcode result)
{
    struct http_client_reply *reply = http_client->reply;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(http_client->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(http_client->easy, CURLINFO_RETRY_AFTER, &retry_after);
    reply->retry_after = retry_after > 0 ? (double)retry_after : 0;
    /* An answer that was cut off for its length is one; else half an answer is none. */
    if (result == CURLE_OK || result == CURLE_WRITE_ERROR)
        return;
    reply->status = 0;
    snprintf(reply->text, HTTP_CLIENT_TEXT_MAX, "%.*s", HTTP_CLIENT_TEXT_MAX - 1,
        http_client->why[0] ? http_client->why : curl_easy_strerror(result));
}

void http_client_post(struct http_client *http_client, const char *url, const char *body,
    const char *key, struct http_client_reply *reply)
{
    struct curl_slist first = {.data = NULL, .next = http_client->headers};
    char line[160];

    snprintf(line, sizeof line, "Idempotency-Key: %s", key ? key : "");
    first.data = line;
    *reply = (struct http_client_reply){0};
    http_client->reply = reply;
    http_client->received = 0;
    http_client->why[0] = '\0';
    curl_easy_setopt(http_client->easy, CURLOPT_URL, url);
    curl_easy_setopt(http_client->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(http_client->easy, CURLOPT_HTTPHEADER, key ? &first : http_client->headers);
    read_reply(http_client, transfer(http_client));
    curl_easy_setopt(http_client->easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(http_client->easy, CURLOPT_HTTPHEADER, NULL);
}

void http_client_interrupt(struct http_client *http_client)
{
    atomic_store(&http_client->interrupted, true);
    curl_multi_wakeup(http_client->multi);
}
