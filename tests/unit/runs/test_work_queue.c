/* The work queue of a block by itself: the line, what a worker takes, what makes room, and layers that join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "daemon/runs/item.h"
#include "daemon/runs/layer.h"
#include "daemon/runs/work_queue.h"

static struct stats stats;
static struct work_line line;
static struct work_queue *a, *b;
static struct session lossy, lossless = {.lossless = true};

static int setup(void **state)
{
    struct block_options options = {.weights = {.stats = &stats}, .run = 1};

    (void)state;
    a = work_queue_new(NULL, "a", &options, &line);
    b = work_queue_new(NULL, "", &options, &line);
    assert_true(a && b && !line.first);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    work_queue_free(a);
    work_queue_free(b);
    work_queue_free(NULL);
    assert_null(line.first);
    assert_true(!lossy.undone && !lossless.undone);
    return 0;
}

static struct item *put(struct work_queue *queue, struct session *session, int64_t step)
{
    struct item *item = calloc(1, sizeof *item);

    assert_non_null(item);
    item->queue = queue;
    item->session = session;
    item->task.kind = session ? BLOCK_WEIGHTS : BLOCK_CLOSE;
    item->task.step = step;
    if (session)
        DL_APPEND2(session->undone, item, earlier, later);
    work_queue_put(queue, item);
    return item;
}

/* Ends items; returns their steps as digits, '+' for a layer that joins. */
static const char *finish(struct item *items)
{
    static char text[32];
    size_t count = 0;
    struct item *item, *next;

    DL_FOREACH_SAFE (items, item, next) {
        assert_true(count + 1 < sizeof text);
        text[count++] = item->task.kind == BLOCK_JOIN ? '+' : (char)('0' + item->task.step);
        item_done(item);
    }
    text[count] = 0;
    return text;
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    put(a, &lossy, 1);
    put(b, &lossy, 1);
    put(a, &lossy, 2);
    assert_true(line.first == a && a->line_next == b);
    assert_string_equal(finish(work_queue_take(a)), "1");
    assert_true(line.first == b && a->busy && !a->in_line); /* one worker at a time */
    put(a, &lossy, 3);
    assert_null(line.first->line_next);
    work_queue_release(a);
    assert_true(line.first == b && b->line_next == a);
    assert_string_equal(finish(work_queue_take(b)), "1");
    work_queue_release(b);
    assert_true(line.first == a && !b->in_line);
}

static void test_a_worker_takes_one_sample(void **state)
{
    (void)state;
    put(a, &lossy, 1);
    put(a, &lossy, 1);
    put(a, &lossless, 1);
    put(a, &lossy, 2);
    put(a, &lossy, 1);
    assert_string_equal(finish(work_queue_take(a)), "111");
    assert_int_equal(a->begun_step, 1);
    work_queue_release(a);
    assert_string_equal(finish(work_queue_take(a)), "2");
    work_queue_release(a);
}

static struct run_layer layer_of(const char *role)
{
    return (struct run_layer){
        .id = 7, .rows = 4, .cols = 4, .role = (char *)(uintptr_t)role, .last_step = {-1, -1}};
}

static void test_layers_join_ahead_of_their_samples(void **state)
{
    struct run_layer in = layer_of("mlp.in"), out = layer_of("mlp.out");

    (void)state;
    assert_false(work_queue_completes_mlp(a, "mlp.out"));
    assert_int_equal(work_queue_add_layer(a, &in, 0, 1), 0);
    assert_false(a->in_line); /* that alone is no work */
    assert_ptr_equal(in.queue, a);
    assert_non_null(in.member);
    assert_true(work_queue_completes_mlp(a, "mlp.out"));
    assert_false(work_queue_completes_mlp(a, "mlp.gate"));
    assert_false(work_queue_completes_mlp(b, "mlp.out"));
    put(a, &lossy, 1);
    assert_int_equal(work_queue_add_layer(a, &out, 9, 1), 0);
    assert_int_equal(a->id, 9);
    assert_false(work_queue_completes_mlp(a, "mlp.in"));
    put(a, &lossy, 1);
    assert_string_equal(finish(work_queue_take(a)), "+1");
    work_queue_release(a);
    assert_string_equal(finish(work_queue_take(a)), "+1");
    work_queue_release(a);
    assert_int_equal(work_queue_add_layer(b, &in, 0, 1), 0); /* never worked on: freed */
}

static void test_newer_samples_make_room(void **state)
{
    (void)state;
    put(a, &lossy, 1)->first_weights = true;
    put(a, &lossy, 1);
    put(a, &lossy, 2);
    put(a, &lossless, 3);
    put(a, NULL, 0);
    put(a, &lossy, 4);
    assert_string_equal(finish(work_queue_supersede(a, 4)), "2");
    assert_null(work_queue_supersede(a, 4));
    assert_string_equal(finish(work_queue_take(a)), "11");
    put(a, &lossy, 1); /* late, of what a worker has begun */
    assert_null(work_queue_supersede(a, 4));
    work_queue_release(a);
    assert_true(a->in_line);
}

static void test_a_queue_that_is_emptied_leaves_the_line(void **state)
{
    struct run_layer layer = layer_of("linear");

    (void)state;
    assert_int_equal(work_queue_add_layer(a, &layer, 0, 1), 0);
    put(a, &lossy, 1);
    put(b, &lossy, 1);
    assert_ptr_equal(line.first, a);
    assert_string_equal(finish(work_queue_supersede(a, 2)), "1");
    assert_true(line.first == b && !a->in_line && a->items);
    put(a, &lossy, 2);
    assert_ptr_equal(b->line_next, a);
}

static void test_a_sample_is_withdrawn(void **state)
{
    struct item *whole, *shard = calloc(1, sizeof *shard);

    (void)state;
    put(a, &lossless, 5);
    put(a, &lossy, 5)->first_weights = true;
    whole = put(a, &lossless, 5);
    assert_non_null(shard);
    shard->session = &lossy;
    shard->queue = a;
    DL_APPEND(whole->others, shard);
    DL_APPEND2(lossy.undone, shard, earlier, later);
    put(a, &lossy, 5);
    put(a, &lossy, 6);
    assert_true(item_tensors(whole) == 2 && item_is_from(whole, &lossy));
    assert_string_equal(finish(work_queue_withdraw(a, 5, &lossy)), "55");
    assert_string_equal(finish(work_queue_take(a)), "55");
    work_queue_release(a);
    put(a, &lossy, 5);
    assert_null(work_queue_withdraw(a, 5, &lossy)); /* begun */
    work_queue_new_attempt(a, 2);                   /* another attempt */
    assert_string_equal(finish(work_queue_withdraw(a, 5, &lossy)), "5");
}

/* What is left is freed with the queue: nobody's list of undone items may keep it. */
static int teardown_undone(void **state)
{
    lossy.undone = lossless.undone = NULL;
    return teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_undone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_come_first_served),
        TEST(test_a_worker_takes_one_sample),
        TEST(test_layers_join_ahead_of_their_samples),
        TEST(test_newer_samples_make_room),
        TEST(test_a_queue_that_is_emptied_leaves_the_line),
        TEST(test_a_sample_is_withdrawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
