/* The workers on libuv's pool: many blocks side by side, each in its order and with one worker at a time; layers that join in
 * between; leave to begin; and a stop in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utlist.h>

#include "daemon/runs/layer.h"
#include "daemon/runs/workers.h"

#define QUEUES  12u
#define LAYERS  3u
#define STEPS   40
#define ROWS    8u
#define WORKERS 4u

static struct stats stats;
static uv_loop_t loop;
static struct work_line line;
static struct workers workers;
static struct work_queue *queues[QUEUES];
static struct run_layer layers[QUEUES][LAYERS];
static struct session session;
static bool may_begin;
static int64_t last_step[QUEUES];
static size_t done_items, done_jobs, norms;
static unsigned most_busy;

static int write_file(void *ctx, struct baseline_row *row, const struct baseline_part *parts,
    size_t count, struct error *error)
{
    (void)ctx;
    (void)row;
    (void)parts;
    (void)count;
    error_set(error, "no disk in this test");
    return BASELINE_NO_ROOM;
}

static bool on_may_begin(void *ctx)
{
    assert_ptr_equal(ctx, &workers);
    return may_begin;
}

static size_t number_of(const struct work_queue *queue)
{
    size_t n = 0;

    while (queues[n] != queue)
        n++;
    return n;
}

static void on_done(
    void *ctx, struct work_queue *queue, struct item *items, const struct findings *findings)
{
    size_t n = number_of(queue);
    struct item *item, *next;

    assert_ptr_equal(ctx, &workers);
    assert_true(queue->busy && !queue->in_line && !findings->failed);
    if (workers.busy > most_busy)
        most_busy = workers.busy;
    for (size_t i = 0; i < findings->figure_count; i++) {
        assert_true(findings->figures[i].step >= last_step[n]);
        last_step[n] = findings->figures[i].step;
        norms += strcmp(findings->figures[i].metric, "weights.norm") == 0;
    }
    DL_FOREACH_SAFE (items, item, next) {
        done_items += item->session != NULL;
        item_done(item);
    }
    done_jobs++;
}

static int setup(void **state)
{
    struct block_options options = {
        .weights = {.files = {.write = write_file}, .stats = &stats}, .kept_bytes = 1 << 20};

    (void)state;
    memset(&stats, 0, sizeof stats);
    uv_loop_init(&loop);
    line = (struct work_line){0};
    workers_init(
        &workers, &loop, &line, WORKERS, (struct workers_ops){on_may_begin, on_done, &workers});
    for (size_t i = 0; i < QUEUES; i++) {
        queues[i] = work_queue_new(NULL, "", &options, &line);
        assert_non_null(queues[i]);
        last_step[i] = -1;
    }
    may_begin = true;
    done_items = done_jobs = norms = most_busy = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    workers_stop(&workers);
    session.undone = NULL; /* what was not begun goes with its queue */
    for (size_t i = 0; i < QUEUES; i++)
        work_queue_free(queues[i]);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(stats.ingest_bytes == 0 && stats.kept_bytes == 0 && stats.partner_bytes == 0);
    return 0;
}

static void add_layer(size_t queue, size_t n)
{
    layers[queue][n] = (struct run_layer){.id = (int64_t)(queue * LAYERS + n + 1),
        .rows = ROWS,
        .cols = ROWS,
        .role = (char *)(uintptr_t) "linear",
        .last_step = {-1, -1}};
    assert_int_equal(work_queue_add_layer(queues[queue], &layers[queue][n], 0, 1), 0);
}

static struct shards *weights_of(size_t queue, size_t n, int64_t step)
{
    size_t count = ROWS * ROWS, bytes = count * sizeof(float);
    struct tensor *tensor = tensor_new(bytes, &stats.ingest_bytes);
    struct shards *shards = shards_new(false);
    float *data = malloc(bytes);

    assert_true(tensor && shards && data);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)((i * 31 + queue * 7 + n * 3) % 19) + 0.01f * (float)step;
    assert_int_equal(tensor_add_piece(tensor, data, bytes, data, free), 0);
    assert_int_equal(shards_put(shards, &(struct span){false, 0, ROWS}, tensor), 0);
    return shards;
}

static void put_weights(size_t queue, size_t n, int64_t step)
{
    struct item *item = calloc(1, sizeof *item);

    assert_non_null(item);
    item->queue = queues[queue];
    item->session = &session;
    item->task = (struct block_task){.kind = BLOCK_WEIGHTS,
        .member = layers[queue][n].member,
        .shards = weights_of(queue, n, step),
        .dtype = "float32",
        .step = step,
        .attempt = 1};
    DL_APPEND2(session.undone, item, earlier, later);
    work_queue_put(queues[queue], item);
    workers_start(&workers);
}

static void test_each_block_in_its_order(void **state)
{
    (void)state;
    for (int64_t step = 0; step < STEPS; step++) {
        for (size_t queue = 0; queue < QUEUES; queue++) {
            /* A layer joins while others of its block are worked on. */
            if (step % 10 == 0 && (size_t)step / 10 < LAYERS)
                add_layer(queue, (size_t)step / 10);
            for (size_t n = 0; n < LAYERS && n <= (size_t)step / 10; n++)
                put_weights(queue, n, step);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(done_items, QUEUES * (10 + 20 + 30 + 30));
    assert_int_equal(norms, done_items);
    for (size_t queue = 0; queue < QUEUES; queue++)
        assert_true(last_step[queue] == STEPS - 1 && !queues[queue]->busy);
    assert_true(most_busy > 1 && most_busy <= WORKERS);
    assert_true(workers.busy == 0 && workers_oldest_ms(&workers) == 0 && !line.first);
}

static void test_nothing_begins_without_leave(void **state)
{
    (void)state;
    may_begin = false;
    add_layer(0, 0);
    put_weights(0, 0, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(done_jobs == 0 && line.first == queues[0] && workers.busy == 0);
    may_begin = true;
    workers_start(&workers);
    assert_true(workers.busy == 1 && workers_oldest_ms(&workers) > 0 && queues[0]->busy);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(done_items, 1);
}

static void test_what_was_begun_is_done_before_a_stop(void **state)
{
    (void)state;
    for (size_t queue = 0; queue < QUEUES; queue++) {
        add_layer(queue, 0);
        put_weights(queue, 0, 0);
    }
    assert_int_equal(workers.busy, WORKERS);
    workers_stop(&workers);
    assert_true(workers.busy == 0 && done_items >= WORKERS);
    workers_start(&workers);
    assert_int_equal(workers.busy, 0);
}

static void test_freed_memory_goes_back_when_nothing_is_left(void **state)
{
    (void)state;
    add_layer(0, 0);
    put_weights(0, 0, 0);
    workers_trim_later(&workers);
    workers_start(&workers);
    assert_false(workers.trimming); /* not yet */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(!workers.trim_due && !workers.trimming && done_items == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_block_in_its_order),
        TEST(test_nothing_begins_without_leave),
        TEST(test_what_was_begun_is_done_before_a_stop),
        TEST(test_freed_memory_goes_back_when_nothing_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
