/* A fence that one thread waits for. */
#include "daemon/store/commit.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Held by the one who waits and by the fence; whoever lets go last frees it. */
struct wait {
    pthread_mutex_t lock;
    pthread_cond_t told;
    int holders;
    bool done, ok;
};

static struct wait *wait_new(void)
{
    pthread_condattr_t monotonic;
    struct wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        return NULL;
    wait->holders = 2;
    pthread_mutex_init(&wait->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return wait;
}

/* Called with the lock held, which it gives up. */
static void let_go(struct wait *wait)
{
    int left = --wait->holders;

    pthread_mutex_unlock(&wait->lock);
    if (left > 0)
        return;
    pthread_cond_destroy(&wait->told);
    pthread_mutex_destroy(&wait->lock);
    free(wait);
}

static void tell(void *ctx, bool ok)
{
    struct wait *wait = ctx;

    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    wait->ok = ok;
    pthread_cond_signal(&wait->told);
    let_go(wait);
}

static struct timespec deadline_in(unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

enum commit_result commit_and_wait(
    struct store *store, struct store_batch *batch, unsigned deadline_ms)
{
    struct timespec until = deadline_in(deadline_ms);
    struct wait *wait = batch ? wait_new() : NULL;

    if (!wait) {
        store_batch_free(batch);
        return COMMIT_FAILED;
    }
    store_put_fence(batch, tell, wait);
    bool lost = store_submit(store, batch) != 0;
    pthread_mutex_lock(&wait->lock);
    if (lost && !wait->done)
        wait->holders--; /* no fence will tell */
    int timed_out = 0;
    while (!lost && !wait->done && !timed_out)
        timed_out = pthread_cond_timedwait(&wait->told, &wait->lock, &until);
    enum commit_result result = wait->ok ? COMMIT_DONE : COMMIT_FAILED;
    if (!lost && !wait->done)
        result = COMMIT_LATE;
    let_go(wait);
    return result;
}
