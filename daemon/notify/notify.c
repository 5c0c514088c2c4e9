/* The set of senders; see notify.h. */
#include "daemon/notify/notify.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"
#include "daemon/notify/sender.h"

struct notify {
    struct store *store;
    const char *state_dir;
    pthread_mutex_t mutex; /* over the list: the writer wakes senders */
    struct sender *list[STORE_NOTIFIERS_MAX];
    size_t count;
};

struct notify *notify_new(void)
{
    struct notify *notify = calloc(1, sizeof *notify);

    if (!notify)
        return NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&notify->mutex, NULL);
    return notify;
}

void notify_wake(struct notify *notify)
{
    pthread_mutex_lock(&notify->mutex);
    for (size_t i = 0; i < notify->count; i++)
        sender_wake(notify->list[i]);
    pthread_mutex_unlock(&notify->mutex);
}

static void on_registered(void *ctx, bool ok)
{
    if (ok)
        notify_wake(ctx);
}

static struct sender *running(const struct notify *notify, const struct notifier_settings *settings)
{
    for (size_t i = 0; i < notify->count; i++)
        if (memcmp(sender_settings(notify->list[i]), settings, sizeof *settings) == 0)
            return notify->list[i];
    return NULL;
}

static int register_all(struct notify *notify, const struct notifier_settings *list, size_t count)
{
    struct store_notifier rows[STORE_NOTIFIERS_MAX];
    struct store_batch *batch = store_batch_new();

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct store_notifier){
            .name = list[i].name,
            .kind = list[i].kind == NOTIFIER_ALERTMANAGER ? "alertmanager" : "webhook",
            .critical_only = list[i].critical_only,
            .rules = list[i].rules,
            .changed = !running(notify, &list[i]),
        };
    if (batch) {
        store_put_notifiers(batch, rows, count, clock_wall());
        store_on_commit(batch, on_registered, notify);
    }
    if (store_submit(notify->store, batch) == 0)
        return 0;
    log_error("notifiers are not set up: the store is behind or memory is short");
    return -1;
}

/* Stops those that are not in the list as they are. */
static void stop_others(struct notify *notify, const struct notifier_settings *list, size_t count)
{
    struct sender *kept[STORE_NOTIFIERS_MAX], *stopped[STORE_NOTIFIERS_MAX];
    size_t kept_count = 0, stopped_count = 0;

    for (size_t i = 0; i < count; i++) {
        struct sender *same = running(notify, &list[i]);

        if (same)
            kept[kept_count++] = same;
    }
    pthread_mutex_lock(&notify->mutex);
    for (size_t i = 0; i < notify->count; i++) {
        bool stays = false;

        for (size_t k = 0; k < kept_count; k++)
            stays |= kept[k] == notify->list[i];
        if (!stays)
            stopped[stopped_count++] = notify->list[i];
    }
    memcpy(notify->list, kept, kept_count * sizeof *kept);
    notify->count = kept_count;
    pthread_mutex_unlock(&notify->mutex);
    for (size_t i = 0; i < stopped_count; i++)
        sender_stop(stopped[i]);
    for (size_t i = 0; i < stopped_count; i++)
        sender_join(stopped[i]);
}

static int start_one(struct notify *notify, const struct notifier_settings *settings)
{
    struct sender *sender = sender_start(settings, notify->store, notify->state_dir);

    if (!sender) {
        log_error("a notifier cannot be started: memory or threads are short",
            LOG_STR("notifier", settings->name));
        return -1;
    }
    pthread_mutex_lock(&notify->mutex);
    notify->list[notify->count++] = sender;
    pthread_mutex_unlock(&notify->mutex);
    sender_wake(sender); /* for what came before it was in the list */
    log_info("notifier", LOG_STR("notifier", settings->name),
        LOG_STR("type", settings->kind == NOTIFIER_ALERTMANAGER ? "alertmanager" : "webhook"));
    return 0;
}

int notify_configure(struct notify *notify, const struct notifier_settings *list, size_t count)
{
    int rc = register_all(notify, list, count);

    if (rc != 0)
        return rc;
    stop_others(notify, list, count);
    for (size_t i = 0; i < count; i++)
        if (!running(notify, &list[i]))
            rc |= start_one(notify, &list[i]);
    return rc;
}

int notify_start(struct notify *notify, struct store *store, const char *state_dir,
    const struct notifier_settings *list, size_t count)
{
    notify->store = store;
    notify->state_dir = state_dir;
    if (count == 0 && !store_had_notifiers(store))
        return 0; /* nothing to say: a commit less before the first training */
    return notify_configure(notify, list, count);
}

void notify_stop(struct notify *notify)
{
    if (notify)
        stop_others(notify, NULL, 0);
}

void notify_free(struct notify *notify)
{
    if (!notify)
        return;
    pthread_mutex_destroy(&notify->mutex);
    free(notify);
    curl_global_cleanup();
}
