/* The pool: every item that it took is run once, whatever comes in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/http/pool.h"

enum { WAITING = 4, PUTTERS = 4, ITEMS = 2000 };

struct counted {
    struct pool_item item;
    atomic_int runs;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct pool pool;

static void count(struct pool_item *item)
{
    atomic_fetch_add(&((struct counted *)(void *)item)->runs, 1);
}

static void count_behind_the_gate(struct pool_item *item)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    count(item);
}

static void put(struct counted *counted, void (*run)(struct pool_item *item))
{
    counted->item.run = run;
    while (pool_put(&pool, &counted->item) == POOL_FULL)
        continue;
}

static void test_bound_and_stop(void **state)
{
    static struct counted items[WAITING + POOL_THREADS], late = {.item.run = count};

    assert_int_equal(pool_start(&pool, WAITING), 0);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < WAITING + POOL_THREADS; i++)
        put(&items[i], count_behind_the_gate);
    assert_int_equal(pool_put(&pool, &late.item), POOL_FULL);
    pthread_mutex_unlock(&gate);
    pool_stop(&pool);
    for (int i = 0; i < WAITING + POOL_THREADS; i++)
        assert_int_equal(items[i].runs, 1);
    assert_int_equal(pool_put(&pool, &late.item), POOL_CLOSED);
    assert_int_equal(late.runs, 0);
    pool_free(&pool);
}

static struct counted many[PUTTERS][ITEMS];

static void *put_many(void *ctx)
{
    struct counted *items = ctx;

    for (int i = 0; i < ITEMS; i++)
        put(&items[i], count);
    return NULL;
}

static void test_many(void **state)
{
    pthread_t putters[PUTTERS];

    assert_int_equal(pool_start(&pool, WAITING), 0);
    for (int i = 0; i < PUTTERS; i++)
        assert_int_equal(pthread_create(&putters[i], NULL, put_many, many[i]), 0);
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(putters[i], NULL);
    pool_stop(&pool);
    pool_free(&pool);
    for (int i = 0; i < PUTTERS * ITEMS; i++)
        assert_int_equal(many[i / ITEMS][i % ITEMS].runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_and_stop),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
