/* A few threads that work off a bounded queue, first come, first served. */
#ifndef FORESHOCK_HTTP_POOL_H
#define FORESHOCK_HTTP_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { POOL_THREADS = 2 };

/* Part of what is worked on. `run` is called once, on a thread of the pool, which does not touch the item again. */
struct pool_item {
    struct pool_item *next;
    void (*run)(struct pool_item *item);
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct pool_item *first, **last; /* what waits */
    size_t waiting, waiting_max;
    bool closing;
    pthread_t threads[POOL_THREADS];
    size_t threads_count;
};

/* Starts the threads. 0, or -1 with nothing to stop. */
int pool_start(struct pool *pool, size_t waiting_max);

/* Any thread; never waits. POOL_FULL when `waiting_max` items wait, POOL_CLOSED once pool_stop was called: the item is
 * then still the caller's. */
enum pool_put { POOL_TAKEN, POOL_FULL, POOL_CLOSED };
enum pool_put pool_put(struct pool *pool, struct pool_item *item);

/* Takes nothing more, runs what waits, and returns when every item was run. */
void pool_stop(struct pool *pool);
void pool_free(struct pool *pool); /* once it has stopped and nobody calls pool_put any more */

#endif
