/* A commit that one thread waits for. */
#include "daemon/store/commit.h"

#include <pthread.h>
#include <stdlib.h>

#include "daemon/core/clock.h"

/* Held by the one who waits and by the callback; whoever lets go last frees it. */
struct commit_wait {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    int holders;
    bool done, ok;
};

static struct commit_wait *wait_new(void)
{
    struct commit_wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        return NULL;
    wait->holders = 2;
    pthread_mutex_init(&wait->lock, NULL);
    clock_cond_init(&wait->finished);
    return wait;
}

/* Called with the lock held, which it gives up. */
static void wait_release(struct commit_wait *wait)
{
    int left = --wait->holders;

    pthread_mutex_unlock(&wait->lock);
    if (left > 0)
        return;
    pthread_cond_destroy(&wait->finished);
    pthread_mutex_destroy(&wait->lock);
    free(wait);
}

static void on_batch_committed(void *ctx, bool ok)
{
    struct commit_wait *wait = ctx;

    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    wait->ok = ok;
    pthread_cond_signal(&wait->finished);
    wait_release(wait);
}

enum commit_result commit_and_wait(
    struct store *store, struct store_batch *batch, unsigned deadline_ms)
{
    uint64_t until_ms = clock_ms() + deadline_ms;
    struct commit_wait *wait = batch ? wait_new() : NULL;

    if (!wait) {
        store_batch_free(batch);
        return COMMIT_FAILED;
    }
    store_on_commit(batch, on_batch_committed, wait);
    bool lost = store_submit(store, batch) != 0;
    pthread_mutex_lock(&wait->lock);
    if (lost && !wait->done)
        wait->holders--; /* nothing will answer */
    while (!lost && !wait->done && clock_cond_wait(&wait->finished, &wait->lock, until_ms))
        continue;
    enum commit_result result = wait->ok ? COMMIT_DONE : COMMIT_FAILED;
    if (!lost && !wait->done)
        result = COMMIT_LATE;
    wait_release(wait);
    return result;
}
