/* Shards of a step until it is whole, dropped or given up, with what they are handed to recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <utlist.h>

#include "daemon/core/limits.h"
#include "daemon/runs/gather.h"
#include "daemon/runs/run.h"

#define ROWS      12u
#define ROW_BYTES 16u
#define RANKS     3u
#define SHARD     (ROWS / RANKS * ROW_BYTES)
#define BUDGET    (20 * SHARD)

/* A run of one layer, of whose rows each rank holds a third; with a replica of the first rank. */
static struct stats stats;
static struct gathers gathers;
static struct run run;
static struct work_queue queue;
static struct run_layer layer;
static struct session sessions[RANKS + 1];
static struct numbered_layer numbers[RANKS + 1];
static unsigned lost[RANKS + 1]; /* tensors, by rank */
static char last_expected[192], last_field[64], last_value[129];
static struct item *handed[64]; /* what was ready, in order */
static size_t handed_count;

static void on_ready(void *ctx, struct item *item)
{
    (void)ctx;
    handed[handed_count++] = item;
}

static void on_lost(void *ctx, struct item *item, const struct wire_fault *fault)
{
    (void)ctx;
    snprintf(last_expected, sizeof last_expected, "%s", fault->expected);
    snprintf(last_field, sizeof last_field, "%s", fault->field);
    snprintf(last_value, sizeof last_value, "%s", fault->value);
    lost[item->session - sessions]++;
}

static void on_done(void *ctx, struct item *item)
{
    (void)ctx;
    item_done(item);
}

static int setup(void **state)
{
    (void)state;
    memset(&stats, 0, sizeof stats);
    memset(&layer, 0, sizeof layer);
    memset(sessions, 0, sizeof sessions);
    memset(numbers, 0, sizeof numbers);
    memset(lost, 0, sizeof lost);
    handed_count = 0;
    gathers = (struct gathers){.stats = &stats,
        .memory_bytes = BUDGET,
        .deadline_seconds = 1,
        .ops = {.ready = on_ready, .lost = on_lost, .done = on_done}};
    queue = (struct work_queue){.run = &run};
    run = (struct run){.queues = &queue};
    queue.prev = &queue;
    layer.queue = &queue;
    layer.name = (char *)(uintptr_t) "l";
    layer.rows = ROWS;
    layer.cols = ROW_BYTES;
    layer.last_step[0] = layer.last_step[1] = layer.incomplete_step = -1;
    for (size_t i = 0; i <= RANKS; i++) {
        uint64_t begin = i % RANKS * ROWS / RANKS;

        sessions[i].run = &run;
        numbers[i].layer = &layer;
        numbers[i].span = (struct span){false, begin, begin + ROWS / RANKS};
    }
    return 0;
}

/* As a worker does with what it was handed. */
static void work_off(void)
{
    for (size_t i = 0; i < handed_count; i++)
        item_done(handed[i]);
    handed_count = 0;
}

/* Every byte is accounted for, and nobody's flush waits for anything. */
static int teardown(void **state)
{
    (void)state;
    work_off();
    assert_null(gathers.oldest);
    assert_null(queue.gathers);
    assert_int_equal(stats.shard_bytes, 0);
    assert_int_equal(stats.ingest_bytes, 0);
    for (size_t i = 0; i <= RANKS; i++) {
        assert_null(sessions[i].undone);
        assert_int_equal(sessions[i].gathering, 0);
    }
    return 0;
}

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static struct item *item_of(size_t rank, int64_t step)
{
    struct item *item = calloc(1, sizeof *item);

    assert_non_null(item);
    item->queue = &queue;
    item->session = &sessions[rank];
    item->task.step = step;
    snprintf(item->task.dtype, sizeof item->task.dtype, "float8_e5m2");
    return item;
}

/* A tensor full of the rank's number. */
static struct tensor *tensor_of(size_t rank)
{
    struct tensor *tensor = tensor_new(SHARD, &stats.ingest_bytes);
    char *data = malloc(SHARD);

    assert_non_null(data);
    memset(data, (int)rank, SHARD);
    assert_int_equal(tensor_add_piece(tensor, data, SHARD, data, free), 0);
    return tensor;
}

static void give(size_t rank, int64_t step)
{
    gather_shard(&gathers, &numbers[rank], item_of(rank, step), tensor_of(rank));
}

static void give_activations(size_t rank, int64_t step)
{
    struct item *item = item_of(rank, step);

    item->task.tensor = tensor_of(rank);
    DL_APPEND2(item->session->undone, item, earlier, later);
    if (!gather_activations(&gathers, &layer, item))
        on_ready(NULL, item);
}

static void pass(uint64_t ms)
{
    gather_tick(&gathers, gathers.clock_ms + ms);
}

static void check_whole(const struct item *item, int64_t step)
{
    const struct shards *shards = item->task.shards;

    assert_int_equal(item->task.step, step);
    assert_non_null(shards);
    assert_int_equal(shards->count, RANKS);
    for (size_t i = 0; i < RANKS; i++) {
        const char *data = tensor_data(shards->shard[i].tensor);

        assert_int_equal(shards->shard[i].begin, i * ROWS / RANKS);
        assert_int_equal(data[0], i);
        assert_int_equal(data[SHARD - 1], i);
    }
}

static void test_any_order(void **state)
{
    static const size_t orders[6][3] = {
        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (int64_t step = 0; step < 6; step++) {
        give(orders[step][0], step);
        give(orders[step][1], step);
        assert_int_equal(stats.shard_bytes, 2 * SHARD);
        assert_int_equal(handed_count, step);
        give(orders[step][2], step);
        assert_int_equal(stats.shard_bytes, 0);
        assert_int_equal(stats.ingest_bytes, (uint64_t)(step + 1) * RANKS * SHARD);
        assert_int_equal(handed_count, step + 1);
        check_whole(handed[step], step);
        assert_int_equal(layer.last_step[WIRE_WEIGHTS], step);
    }
    assert_int_equal(stats.dropped_shards_total, 0);
}

static void test_several_steps_at_once(void **state)
{
    (void)state;
    for (size_t rank = 0; rank < RANKS; rank++)
        for (int64_t step = 0; step < (int64_t)LIMIT_SHARD_STEPS; step++)
            give(rank, step);
    assert_int_equal(handed_count, LIMIT_SHARD_STEPS);
    for (int64_t step = 0; step < (int64_t)LIMIT_SHARD_STEPS; step++)
        check_whole(handed[step], step);
}

static void test_late_and_never(void **state)
{
    (void)state;
    give(0, 0);
    pass(900);
    give(1, 0); /* the deadline is for the next one */
    pass(900);
    give(2, 0);
    check_whole(handed[0], 0);
    give(0, 1);
    give(2, 1);
    pass(999);
    assert_int_equal(stats.dropped_shards_total, 0);
    pass(1);
    assert_int_equal(stats.dropped_shards_total, 2);
    assert_string_equal(last_expected, "rows [4, 8) of this step in time, of layer l");
    assert_true(lost[0] == 1 && lost[1] == 0 && lost[2] == 1);
    give(1, 1); /* too late: nobody waits for it */
    assert_int_equal(stats.dropped_shards_total, 3);
    assert_true(lost[1] == 1 && stats.shard_bytes == 0);
    for (size_t rank = 0; rank < RANKS; rank++)
        give(rank, 2);
    check_whole(handed[1], 2);
}

static void test_the_first_of_two_is_believed(void **state)
{
    (void)state;
    give(RANKS, 0); /* holds what rank 0 holds */
    assert_true(gather_has(&layer, 0, &numbers[0].span));
    assert_false(gather_has(&layer, 0, &numbers[1].span));
    give(0, 0);
    give(1, 0);
    give(2, 0);
    give(0, 0);
    assert_int_equal(handed_count, 1);
    assert_int_equal(*(const char *)tensor_data(handed[0]->task.shards->shard[0].tensor), RANKS);
    assert_true(stats.dropped_shards_total == 0 && lost[0] == 0);
}

static void test_a_newer_whole_step_ends_the_older(void **state)
{
    (void)state;
    give(0, 0);
    give(0, 1);
    give(1, 1);
    give(0, 3);
    for (size_t rank = 0; rank < RANKS; rank++)
        give(rank, 2);
    check_whole(handed[0], 2);
    assert_int_equal(stats.dropped_shards_total, 3);
    assert_true(lost[0] == 2 && lost[1] == 1);
    assert_int_equal(stats.shard_bytes, SHARD);
    give(1, 3);
    give(2, 3);
    check_whole(handed[1], 3);
}

static void test_late_for_a_step_that_was_overtaken(void **state)
{
    (void)state;
    for (int64_t step = 0; step < 9; step += 4)
        for (size_t rank = 0; rank < RANKS; rank++)
            give(rank, step);
    give(RANKS, 4); /* its replica had sent the same */
    assert_true(stats.dropped_shards_total == 0 && lost[RANKS] == 0);
    give(RANKS, 5); /* nobody had sent any of it */
    assert_int_equal(stats.dropped_shards_total, 1);
    assert_true(lost[RANKS] == 1);
    assert_true(strcmp(last_field, "step") == 0 && strcmp(last_value, "5") == 0);
}

/* A first step is whole: what comes now is no w(0). */
static void begin(void)
{
    for (size_t rank = 0; rank < RANKS; rank++)
        give(rank, 0);
    assert_true(handed_count == 1 && handed[0]->first_weights);
    work_off();
}

static void test_few_steps_wait(void **state)
{
    (void)state;
    begin();
    for (int64_t step = 1; step < (int64_t)LIMIT_SHARD_STEPS + 4; step++)
        give(0, step);
    assert_int_equal(stats.dropped_shards_total, 3);
    assert_int_equal(stats.shard_bytes, LIMIT_SHARD_STEPS * SHARD);
    give(1, 3); /* of a step that is gone */
    assert_int_equal(stats.dropped_shards_total, 4);
    gather_drop_run(&gathers, &run);
    assert_int_equal(stats.dropped_shards_total, LIMIT_SHARD_STEPS + 4);
}

static void test_the_budget_and_lossless_sessions(void **state)
{
    (void)state;
    begin();
    gathers.memory_bytes = 3 * SHARD;
    for (int64_t step = 1; step < 6; step++)
        give(0, step);
    assert_int_equal(stats.dropped_budget_total, 2);
    assert_int_equal(stats.shard_bytes, 3 * SHARD);
    gather_drop_run(&gathers, &run);

    sessions[0].lossless = true;
    assert_true(gather_may_send(&gathers, &sessions[0], true));
    for (int64_t step = 10; step < 13; step++)
        give(0, step);
    sessions[0].lossless = false;
    assert_false(gather_may_send(&gathers, &sessions[0], true)); /* who asks waits ... */
    assert_true(gather_may_send(
        &gathers, &sessions[0], false)); /* ... and what nobody asks for may be lost */
    sessions[0].lossless = true;
    assert_false(gather_may_send(&gathers, &sessions[0], true)); /* it waits ... */
    assert_true(
        gather_may_send(&gathers, &sessions[1], true)); /* ... for those who have not sent */
    give(0, 13);
    gather_lose(&gathers, &queue, 11); /* another's loss is none of its samples' */
    assert_int_equal(stats.dropped_budget_total, 2);
    assert_int_equal(stats.shard_bytes, 4 * SHARD);
    for (int64_t step = 10; step < 14; step++) {
        give(1, step);
        give(2, step);
    }
    assert_int_equal(handed_count, 4);
    assert_true(gather_may_send(&gathers, &sessions[0], true));
    assert_int_equal(lost[1], 0);
}

static void test_what_may_be_a_first_step_stays(void **state)
{
    (void)state;
    gathers.memory_bytes = 2 * SHARD;
    for (int64_t step = 5; step < 9; step++)
        give(0, step);
    gather_lose(&gathers, &queue, 5);
    assert_int_equal(stats.dropped_budget_total, 2); /* steps 6 and 7 */
    assert_int_equal(stats.dropped_shards_total, 0);
    give(1, 5);
    give(2, 5);
    assert_true(handed_count == 1 && handed[0]->task.step == 5 && handed[0]->first_weights);
    gather_drop_run(&gathers, &run);
}

static void test_even_that_is_bounded(void **state)
{
    struct run_layer others[8];

    (void)state;
    gathers.memory_bytes = 2 * SHARD;
    for (size_t i = 0; i < 8; i++) {
        others[i] = layer;
        numbers[0].layer = &others[i];
        give(0, 0);
    }
    numbers[0].layer = &layer;
    assert_int_equal(stats.shard_bytes, 4 * SHARD);
    assert_int_equal(stats.dropped_budget_total, 4);
    gather_drop_run(&gathers, &run);
}

static void test_whom_the_oldest_step_waits_for_goes_on(void **state)
{
    struct numbered_layer *numbered;

    (void)state;
    gathers.memory_bytes = 2 * SHARD;
    for (size_t rank = 0; rank < RANKS; rank++) {
        sessions[rank].lossless = true;
        numbered = &numbers[rank];
        numbered->last_step[WIRE_WEIGHTS] = -1;
        HASH_ADD(hh, sessions[rank].numbers, number, sizeof numbered->number, numbered);
    }
    give(0, 1);
    pass(1);
    give(1, 2); /* of another layer, as good as of another step */
    numbers[0].last_step[WIRE_WEIGHTS] = 1;
    assert_false(
        gather_may_send(&gathers, &sessions[0], true));         /* it has sent what is oldest ... */
    assert_true(gather_may_send(&gathers, &sessions[1], true)); /* ... and this one has not */
    give(1, 3);
    give(1, 4);
    assert_false(gather_may_send(&gathers, &sessions[1], true)); /* twice the budget is enough */
    for (size_t rank = 0; rank < RANKS; rank++)
        HASH_CLEAR(hh, sessions[rank].numbers);
    gather_drop_run(&gathers, &run);
}

static void test_a_lost_tensor_gives_up_its_sample(void **state)
{
    (void)state;
    begin();
    give(0, 1);
    give(1, 1);
    give(1, 2);
    gather_lose(&gathers, &queue, 1);
    assert_true(lost[0] == 1 && lost[1] == 1);
    assert_int_equal(stats.shard_bytes, SHARD);
    gather_drop_run(&gathers, &run);
}

static void test_shards_of_another_dtype_are_turned_away(void **state)
{
    struct item *item = item_of(1, 0);

    (void)state;
    give(0, 0);
    snprintf(item->task.dtype, sizeof item->task.dtype, "float8_e4m3fn");
    gather_shard(&gathers, &numbers[1], item, tensor_of(1));
    assert_true(lost[1] == 1 && lost[0] == 0);
    assert_string_equal(last_field, "dtype");
    assert_string_equal(last_value, "float8_e4m3fn");
    assert_string_equal(last_expected, "float8_e5m2, as the other shards of this step");
    give(1, 0);
    give(2, 0);
    check_whole(handed[0], 0);
}

static void test_activations_go_behind_their_weights(void **state)
{
    (void)state;
    give_activations(0, 0);
    assert_int_equal(handed_count, 1); /* there is nothing to wait for */
    give(0, 1);
    give_activations(0, 1);
    give(0, 3);
    give_activations(0, 4);
    assert_int_equal(stats.shard_bytes, 4 * SHARD);
    give(1, 1);
    give(2, 1);
    assert_int_equal(handed_count, 3);
    check_whole(handed[1], 1);
    assert_int_equal(handed[2]->task.step, 1);
    pass(1000); /* what they wait for does not come: they are good without */
    assert_int_equal(handed_count, 4);
    assert_int_equal(handed[3]->task.step, 4);
    assert_int_equal(stats.dropped_shards_total, 1);
}

static uint64_t waiting_shards(void)
{
    const struct gather *gather;
    uint64_t count = 0;

    DL_FOREACH (queue.gathers, gather)
        count += gather->shards->count;
    return count;
}

static bool was_whole[10000]; /* by step */

/* Whether such a shard waits, or was one of a whole step. */
static bool is_known(size_t rank, int64_t step)
{
    const struct gather *gather;

    DL_FOREACH (queue.gathers, gather)
        if (gather->step == step && shards_have(gather->shards, numbers[rank].span.begin))
            return true;
    return was_whole[step];
}

/* What was handed on is whole and of rising steps. Returns how many shards it was. */
static uint64_t check_handed(int64_t *newest)
{
    uint64_t count = 0;

    for (size_t i = 0; i < handed_count; i++) {
        if (!handed[i]->task.shards)
            continue;
        assert_true(handed[i]->task.step > *newest);
        *newest = handed[i]->task.step;
        was_whole[*newest] = true;
        assert_int_equal(handed[i]->task.shards->count, RANKS);
        count += RANKS;
    }
    return count;
}

static void do_something(unsigned *seed, int64_t *step, uint64_t *given, uint64_t *known)
{
    unsigned what = draw(seed, 40);
    size_t rank = draw(seed, RANKS + 1);
    int64_t its = *step - (int64_t)draw(seed, 5);

    if (what == 0)
        gather_lose(&gathers, &queue, its);
    else if (what == 1)
        pass(draw(seed, 700));
    else if (what == 2)
        gather_drop_run(&gathers, &run);
    else if (what == 3)
        sessions[rank].lossless = draw(seed, 2) == 1;
    else if (what < 10)
        give_activations(rank, its < 0 ? 0 : its);
    else if (its >= 0) {
        *known += is_known(rank, its);
        *given += 1;
        give(rank, its);
    }
    *step += draw(seed, 8) == 0;
}

static void test_whatever_comes_every_shard_is_accounted_for(void **state)
{
    unsigned seed = 5;
    uint64_t whole = 0, given = 0, known = 0;
    int64_t step = 0, newest = -1;

    (void)state;
    for (int i = 0; i < 50000; i++) {
        do_something(&seed, &step, &given, &known);
        whole += check_handed(&newest);
        work_off();
        assert_int_equal(stats.ingest_bytes, 0);
        assert_int_equal(given, whole + known + waiting_shards() + stats.dropped_shards_total +
                                    stats.dropped_budget_total);
    }
    assert_true(whole > 3000 && known > 3000 && stats.dropped_shards_total > 3000);
    gather_drop_run(&gathers, &run);
}

static void test_what_waits_is_freed(void **state)
{
    (void)state;
    give(0, 0);
    give_activations(1, 0);
    gather_free_all(&gathers);
    queue.gathers = NULL;
    for (size_t i = 0; i < 2; i++) {
        sessions[i].undone = NULL;
        sessions[i].gathering = 0;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_any_order),
        TEST(test_several_steps_at_once),
        TEST(test_late_and_never),
        TEST(test_the_first_of_two_is_believed),
        TEST(test_a_newer_whole_step_ends_the_older),
        TEST(test_late_for_a_step_that_was_overtaken),
        TEST(test_few_steps_wait),
        TEST(test_the_budget_and_lossless_sessions),
        TEST(test_what_may_be_a_first_step_stays),
        TEST(test_even_that_is_bounded),
        TEST(test_whom_the_oldest_step_waits_for_goes_on),
        TEST(test_a_lost_tensor_gives_up_its_sample),
        TEST(test_shards_of_another_dtype_are_turned_away),
        TEST(test_activations_go_behind_their_weights),
        TEST(test_whatever_comes_every_shard_is_accounted_for),
        TEST(test_what_waits_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
