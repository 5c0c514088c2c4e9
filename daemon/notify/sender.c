/* The thread of a notifier; see sender.h. */
#include "daemon/notify/sender.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/core/log.h"
#include "daemon/notify/alertmanager.h"
#include "daemon/notify/http_client.h"
#include "daemon/notify/retry.h"
#include "daemon/notify/webhook.h"
#include "daemon/store/commit.h"
#include "daemon/store/reader.h"
#include "daemon/store/reader_notify.h"

#define IDLE_SECONDS  30.0 /* looks at least so often */
#define COMMIT_MS     100  /* how soon a stop is noticed while the store is slow */
#define TROUBLE_PAUSE 1.0  /* after a database that could not be read */

struct sender {
    struct notifier_settings settings;
    struct store *store;
    const char *state_dir;
    char url[NOTIFIER_URL_MAX];
    struct http_client *http_client;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool woken; /* under the mutex */
    atomic_bool stopping;
    /* Below: the thread's. */
    struct reader *reader;
    unsigned seed;
    unsigned failures;   /* tries without an answer, one after the other */
    double paused_until; /* seconds of monotonic time, as resend_at */
    double resend_at;
    bool rows_turn;
};

/* A row of the outbox, copied. */
struct pending_row {
    int64_t row, alert_id;
    char *event, *alert, *noticed; /* noticed "": no firing state was sent */
    char key[96];
    unsigned tries;
    double next_at;
};

static double now_seconds(void)
{
    return 1e-9 * (double)clock_ns();
}

static double chance(struct sender *sender)
{
    return (double)rand_r(&sender->seed) / RAND_MAX;
}

/* Sleeps for `seconds`, until it is woken or is to stop. */
static void wait_until_woken(struct sender *sender, double seconds)
{
    uint64_t until_ms = clock_ms() + (uint64_t)ceil(1000 * seconds);

    pthread_mutex_lock(&sender->mutex);
    while (!sender->woken && !atomic_load(&sender->stopping) &&
           clock_cond_wait(&sender->wake, &sender->mutex, until_ms))
        continue;
    sender->woken = false;
    pthread_mutex_unlock(&sender->mutex);
}

/* Hands a report over and waits until it is committed, so that the next look sees it. */
static void commit_delivery(struct sender *sender, const struct store_delivery *delivery)
{
    enum commit_result result;

    do {
        struct store_batch *batch = store_batch_new();

        if (batch)
            store_put_delivery(batch, delivery);
        result = commit_and_wait(sender->store, batch, COMMIT_MS);
        while (result == COMMIT_LATE && !atomic_load(&sender->stopping))
            result = commit_and_wait(sender->store, store_batch_new(), COMMIT_MS);
        if (result == COMMIT_FAILED)
            wait_until_woken(sender, TROUBLE_PAUSE);
    } while (result == COMMIT_FAILED && !atomic_load(&sender->stopping));
}

static void report_delivery(struct sender *sender, const struct pending_row *pending,
    enum store_outcome outcome, double next_at)
{
    const struct store_delivery delivery = {
        .notifier = sender->settings.name,
        .event = pending->event,
        .alert = pending->alert,
        .row = pending->row,
        .alert_id = pending->alert_id,
        .outcome = outcome,
        .now = clock_wall(),
        .next_at = next_at,
    };

    commit_delivery(sender, &delivery);
}

static void log_reply(const struct sender *sender, enum log_level level, const char *message,
    const struct http_client_reply *reply)
{
    log_write(level, LOG_FIELDS(message, LOG_STR("notifier", sender->settings.name),
                         LOG_INT("status", reply->status), LOG_STR("answer", reply->text)));
}

/* POSTs, and keeps the account of the receiver's being there; says so once when it goes and once when
 * it comes back. */
static enum retry_verdict post(
    struct sender *sender, const char *body, const char *key, struct http_client_reply *reply)
{
    http_client_post(sender->http_client, sender->url, body, key, reply);
    enum retry_verdict verdict = retry_judge(reply->status);

    if (verdict == RETRY_LATER) {
        if (sender->failures++ == 0 && !atomic_load(&sender->stopping))
            log_reply(sender, LOG_LEVEL_WARNING,
                "a notifier's receiver does not take alerts; they wait and are tried again", reply);
        sender->paused_until =
            now_seconds() + retry_pause(sender->failures, chance(sender), reply->retry_after);
        return verdict;
    }
    if (sender->failures > 0)
        log_reply(sender, LOG_LEVEL_INFO, "a notifier's receiver answers again", reply);
    sender->failures = 0;
    return verdict;
}

static char *notification_body(const struct sender *sender, const struct pending_row *pending)
{
    struct notification notification, noticed;
    char *body;

    if (notification_open(&notification, pending->event, pending->alert) != 0)
        return NULL;
    bool has_notice = notification_open(&noticed, "firing", pending->noticed) == 0;
    if (sender->settings.kind == NOTIFIER_ALERTMANAGER)
        body = alertmanager_body(
            &sender->settings, &notification, has_notice ? &noticed : NULL, clock_wall());
    else
        body = webhook_body(&sender->settings, &notification);
    if (has_notice)
        notification_close(&noticed);
    notification_close(&notification);
    return body;
}

static void report_refused(
    struct sender *sender, const struct pending_row *pending, const struct http_client_reply *reply)
{
    log_error("an alert is not delivered: the receiver refuses it",
        LOG_STR("notifier", sender->settings.name), LOG_INT("status", reply->status),
        LOG_INT("alert", pending->alert_id), LOG_STR("event", pending->event),
        LOG_INT("tries", pending->tries + 1), LOG_STR("answer", reply->text));
    report_delivery(sender, pending, STORE_GIVEN_UP, 0);
}

static void deliver(struct sender *sender, const struct pending_row *pending)
{
    struct http_client_reply reply = {.text = "memory is short"};
    char *body = notification_body(sender, pending);
    enum retry_verdict verdict = body ? post(sender, body, pending->key, &reply) : RETRY_LATER;

    free(body);
    if (verdict == RETRY_LATER && atomic_load(&sender->stopping))
        return; /* broken off by us: not the receiver's fault */
    if (verdict == RETRY_DELIVERED)
        report_delivery(sender, pending, STORE_DELIVERED, 0);
    else if (verdict == RETRY_REFUSED && pending->tries + 1 >= LIMIT_REFUSED_TRIES)
        report_refused(sender, pending, &reply);
    else
        report_delivery(sender, pending, STORE_TRY_AGAIN,
            clock_wall() + retry_pause(pending->tries + 1, chance(sender), reply.retry_after));
}

static void keep_due(void *ctx, const struct reader_due *due)
{
    struct pending_row *pending = ctx;

    *pending =
        (struct pending_row){.row = due->row, .alert_id = due->alert_id, .tries = due->tries};
    pending->next_at = due->next_at;
    pending->event = strdup(due->event);
    pending->alert = strdup(due->alert);
    pending->noticed = strdup(due->noticed);
    snprintf(pending->key, sizeof pending->key, "%s-%lld", due->key, (long long)due->row);
}

static void pending_row_free(struct pending_row *pending)
{
    free(pending->event);
    free(pending->alert);
    free(pending->noticed);
}

static void log_trouble(const struct sender *sender)
{
    static struct log_limit limit = LOG_LIMIT(1);

    log_limited(&limit, LOG_LEVEL_ERROR, "a notifier cannot read its outbox and goes on trying",
        LOG_STR("notifier", sender->settings.name), LOG_STR("why", reader_error(sender->reader)));
}

/* Delivers the next row if it is due. The seconds until there may be something to do. */
static double deliver_next(struct sender *sender)
{
    struct pending_row pending = {0};
    int code = reader_due(sender->reader, sender->settings.name, keep_due, &pending);
    double wait = IDLE_SECONDS;

    if (code == READER_FAILED) {
        log_trouble(sender);
        wait = TROUBLE_PAUSE;
    } else if (code == READER_OK) {
        double early = pending.next_at - clock_wall();

        /* Later than any pause: the clock was set back. */
        wait = early > 0 && early <= LIMIT_RETRY_AFTER_SECONDS ? early : 0;
        if (wait == 0 && pending.event && pending.alert && pending.noticed)
            deliver(sender, &pending);
    }
    pending_row_free(&pending);
    return wait;
}

struct resending {
    const struct sender *sender;
    json_t *body;
    double now;
    int64_t last;
    size_t count;
};

static void add_notice(void *ctx, const struct reader_notice *notice)
{
    struct resending *resending = ctx;
    struct notification notification;

    resending->last = notice->alert_id;
    resending->count++;
    if (notification_open(&notification, "firing", notice->alert) != 0)
        return;
    alertmanager_add(resending->body, &resending->sender->settings, &notification, resending->now);
    notification_close(&notification);
}

/* One request of the alerts after `resending->last`. False: that was the last, or it did not go well. */
static bool resend_some(struct sender *sender, struct resending *resending)
{
    struct http_client_reply reply;
    bool good = false;

    resending->count = 0;
    resending->body = json_array();
    if (resending->body &&
        reader_notices(sender->reader, sender->settings.name, resending->last, LIMIT_RESEND_ALERTS,
            add_notice, resending) == READER_OK &&
        resending->count > 0) {
        char *text = json_dumps(resending->body, JSON_COMPACT);
        enum retry_verdict verdict = text ? post(sender, text, NULL, &reply) : RETRY_LATER;

        good = verdict == RETRY_DELIVERED;
        if (verdict == RETRY_REFUSED)
            log_reply(
                sender, LOG_LEVEL_ERROR, "alerts that fire are refused when sent again", &reply);
        free(text);
    }
    json_decref(resending->body);
    return good && resending->count == LIMIT_RESEND_ALERTS && !atomic_load(&sender->stopping);
}

static void resend(struct sender *sender)
{
    struct resending resending = {.sender = sender, .now = clock_wall()};

    sender->resend_at = now_seconds() + sender->settings.resend_seconds;
    while (resend_some(sender, &resending))
        ;
}

/* One look, at rows and at what is to be sent again in turn, so that neither holds the other up. The
 * seconds until the next. */
static double turn(struct sender *sender)
{
    bool resends = sender->settings.kind == NOTIFIER_ALERTMANAGER;
    double pause = sender->paused_until - now_seconds();

    if (pause > 0)
        return pause;
    sender->rows_turn = !sender->rows_turn;
    if (resends && !sender->rows_turn && now_seconds() >= sender->resend_at) {
        resend(sender);
        return 0;
    }
    double wait = deliver_next(sender), until = sender->resend_at - now_seconds();

    return resends && until < wait ? until : wait;
}

static void *run_sender(void *ctx)
{
    struct sender *sender = ctx;
    struct error error;

    while (!sender->reader && !atomic_load(&sender->stopping)) {
        if (reader_open(&sender->reader, sender->state_dir, &error) == 0)
            break;
        log_error("a notifier cannot open the database and goes on trying",
            LOG_STR("notifier", sender->settings.name), LOG_STR("why", error.text));
        wait_until_woken(sender, IDLE_SECONDS);
    }
    while (!atomic_load(&sender->stopping)) {
        double wait = turn(sender);

        if (wait > 0)
            wait_until_woken(sender, wait);
    }
    reader_close(&sender->reader);
    return NULL;
}

static int start_thread(struct sender *sender)
{

    pthread_mutex_init(&sender->mutex, NULL);
    clock_cond_init(&sender->wake);
    if (pthread_create(&sender->thread, NULL, run_sender, sender) == 0)
        return 0;
    pthread_cond_destroy(&sender->wake);
    pthread_mutex_destroy(&sender->mutex);
    return -1;
}

struct sender *sender_start(
    const struct notifier_settings *settings, struct store *store, const char *state_dir)
{
    struct sender *sender = calloc(1, sizeof *sender);

    if (!sender)
        return NULL;
    memcpy(&sender->settings, settings, sizeof *settings);
    sender->store = store;
    sender->state_dir = state_dir;
    sender->seed = (unsigned)clock_ns() ^ (unsigned)(uintptr_t)sender;
    if (settings->kind == NOTIFIER_ALERTMANAGER)
        alertmanager_url(settings->url, sender->url);
    else
        memcpy(sender->url, settings->url, sizeof sender->url);
    sender->http_client = http_client_new(&sender->settings);
    if (sender->http_client && start_thread(sender) == 0)
        return sender;
    http_client_free(sender->http_client);
    free(sender);
    return NULL;
}

const struct notifier_settings *sender_settings(const struct sender *sender)
{
    return &sender->settings;
}

void sender_wake(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    sender->woken = true;
    pthread_cond_signal(&sender->wake);
    pthread_mutex_unlock(&sender->mutex);
}

void sender_stop(struct sender *sender)
{
    atomic_store(&sender->stopping, true);
    http_client_interrupt(sender->http_client);
    sender_wake(sender);
}

void sender_join(struct sender *sender)
{
    pthread_join(sender->thread, NULL);
    pthread_cond_destroy(&sender->wake);
    pthread_mutex_destroy(&sender->mutex);
    http_client_free(sender->http_client);
    free(sender);
}
