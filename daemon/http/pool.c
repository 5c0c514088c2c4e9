/* A list under a mutex, and threads that wait for it. */
#include "daemon/http/pool.h"

/* The next item; NULL when the pool closes and nothing waits any more. */
static struct pool_item *take_item(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->closing)
        pthread_cond_wait(&pool->wake, &pool->lock);
    struct pool_item *item = pool->first;
    if (item) {
        pool->first = item->next;
        pool->waiting--;
    }
    if (!pool->first)
        pool->last = &pool->first;
    pthread_mutex_unlock(&pool->lock);
    return item;
}

static void *run_worker(void *ctx)
{
    struct pool_item *item;

    while ((item = take_item(ctx)))
        item->run(item);
    return NULL;
}

int pool_start(struct pool *pool, size_t waiting_max)
{
    *pool = (struct pool){.waiting_max = waiting_max};
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (; pool->threads_count < POOL_THREADS; pool->threads_count++) {
        if (pthread_create(&pool->threads[pool->threads_count], NULL, run_worker, pool)) {
            pool_stop(pool);
            pool_free(pool);
            return -1;
        }
    }
    return 0;
}

enum pool_put pool_put(struct pool *pool, struct pool_item *item)
{
    enum pool_put result = POOL_TAKEN;

    pthread_mutex_lock(&pool->lock);
    if (pool->closing)
        result = POOL_CLOSED;
    else if (pool->waiting == pool->waiting_max)
        result = POOL_FULL;
    if (result == POOL_TAKEN) {
        item->next = NULL;
        *pool->last = item;
        pool->last = &item->next;
        pool->waiting++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return result;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->threads_count; i++)
        pthread_join(pool->threads[i], NULL);
}

void pool_free(struct pool *pool)
{
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}
