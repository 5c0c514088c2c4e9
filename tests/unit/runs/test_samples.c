/* Samples on their way through the room: to a worker, in the place of older ones, or lost; and flushes behind them. Nothing that
 * a worker did comes back before the loop turns, so what waits is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/runs/room.h"

static bool is_analysed(struct room *room, void *ctx)
{
    return stats_get(&room->stats.tensors_analysed_total) == *(uint64_t *)ctx;
}

static void await_analysed(struct room *room, uint64_t count)
{
    room_await(room, is_analysed, &count);
}

static int64_t id_of(const struct session *session, uint32_t number)
{
    return session_number((struct session *)(uintptr_t)session, number)->layer->id;
}

static void test_the_newer_of_two_that_wait_wins(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    int64_t step;

    room_declare(room, a, 0, "l", "", "linear");
    for (uint64_t i = 0; i < 5; i++) /* the worker has taken up the first */
        assert_int_equal(room_send(room, a, 0, i), 0);
    assert_int_equal(room->stats.dropped_superseded_total, 3);
    assert_int_equal(a->run->dropped, 3);
    await_analysed(room, 2);
    assert_int_equal(room_count(room, "weights.norm", 0, &step), 2);
    assert_int_equal(step, 4);
    assert_true(room->begins == 1 && a->run->last_step == 4);
}

static void test_a_lossless_session_loses_nothing(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, true, NULL);
    int64_t step;

    room_declare(room, a, 0, "l", "", "linear");
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(room_send(room, a, 0, i), 0);
    room_flush(room, a);
    assert_int_equal(room->stats.tensors_analysed_total, 20);
    assert_int_equal(room_count(room, "weights.norm", 0, &step), 20);
    assert_int_equal(room->stats.dropped_superseded_total, 0);
}

static void test_the_first_of_a_layer_is_kept(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    int64_t step;

    room_declare(room, a, 0, "l", "", "linear");
    room_declare(room, a, 1, "m", "", "linear");
    assert_int_equal(room_send(room, a, 0, 0), 0); /* keeps the worker */
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(room_send(room, a, 1, i), 0);
    assert_int_equal(room->stats.dropped_superseded_total, 2); /* 1 and 2, not the w(0) */
    await_analysed(room, 3);
    assert_int_equal(room_count(room, "rotation.baseline_step", id_of(a, 1), &step), 2);
    for (size_t i = 0; i < room->figure_count; i++)
        if (strcmp(room->figures[i].metric, "rotation.baseline_step") == 0)
            assert_true(room->figures[i].value <= 0);
}

static void test_a_lost_tensor_takes_its_sample_with_it(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    int64_t step;

    room_declare(room, a, 0, "in", "b", "mlp.in");
    room_declare(room, a, 1, "out", "b", "mlp.out");
    for (uint32_t layer = 0; layer < 2; layer++)
        assert_int_equal(room_send(room, a, layer, 0), 0);
    await_analysed(room, 2);
    room_declare(room, a, 2, "other", "", "linear");
    assert_int_equal(room_send(room, a, 2, 0), 0); /* keeps the worker */
    assert_int_equal(room_send(room, a, 0, 1), 0);
    assert_int_equal(room_drop(room, a, 1, 1), 1);
    assert_int_equal(room_drop(room, a, 1, 1), 0); /* of a sample that counts already */
    assert_int_equal(room_send(room, a, 0, 1), INGEST_KNOWN);
    assert_int_equal(a->run->dropped, 1);
    room_flush(room, a);
    assert_int_equal(room->stats.tensors_analysed_total, 3);
    assert_int_equal(room_count(room, "weights.norm", id_of(a, 0), &step), 1);
    assert_int_equal(step, 0);
}

static void test_an_mlp_block_is_measured_once_its_layers_have_joined(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, true, NULL);
    int64_t step, block;

    room_declare(room, a, 0, "in", "b", "mlp.in");
    assert_int_equal(
        room_send(room, a, 0, 0), 0); /* a worker has it before the other is declared */
    room_declare(room, a, 1, "out", "b", "mlp.out");
    block = session_number(a, 0)->layer->queue->id;
    assert_int_equal(block, id_of(a, 1) + 1);
    for (uint64_t i = 1; i < 4; i++)
        for (uint32_t layer = 0; layer < 2; layer++)
            assert_int_equal(room_send(room, a, layer, i), 0);
    room_declare(room, a, 2, "gate", "b", "mlp.gate");
    room_flush(room, a);
    assert_int_equal(room_count(room, "gate.undefined", block, &step), 3);
    assert_int_equal(step, 3);
    for (uint32_t layer = 0; layer < 3; layer++)
        assert_int_equal(room_send(room, a, layer, 4), 0);
    room_flush(room, a);
    assert_int_equal(room_count(room, "gate.gate_out.mean", block, &step), 1);
    assert_int_equal(step, 4);
}

static void test_a_flush_waits_for_what_came_before_it(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, true, NULL);
    struct session *b = room_hello(room, "s", "b", 0, true, NULL);
    int64_t step;

    room_flush(room, b); /* nothing to wait for */
    room_declare(room, a, 0, "l", "", "linear");
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(room_send(room, a, 0, i), 0);
    room->ops.flush(room->ops.ctx, a, 7);
    assert_true(a->barriers && a->barriers_flying == 0);
    assert_true(a->undone && a->sequence == 8);
    room_flush(room, b); /* another session's flush does not wait for it */
    room_flush(room, a);
    assert_true(!a->barriers && !a->undone);
    assert_int_equal(room_count(room, "weights.norm", 0, &step), 8);
}

static void test_a_rewind_drops_what_is_on_its_way(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, true, NULL);
    struct session *b = room_hello(room, "r", "b", 1, true, NULL);

    room_declare(room, a, 0, "l", "", "linear");
    room_declare(room, b, 0, "l", "", "linear");
    assert_int_equal(room_send(room, a, 0, 5), 0);
    assert_int_equal(room_send(room, a, 0, 4), -1); /* steps only rise within an attempt */
    room_rewind(room, a, 2);
    assert_int_equal(room_send(room, b, 0, 6), INGEST_KNOWN); /* of an attempt that is over */
    assert_int_equal(room_send(room, a, 0, 2), 0);
    room_flush(room, a);
    assert_true(a->run->attempt.first_step == 2 && a->run->attempt.number == 2);
}

static void test_a_run_that_rests_gives_its_memory_back(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    uint64_t kept;

    room_declare(room, a, 0, "l", "", "linear");
    assert_int_equal(room_send(room, a, 0, 0), 0);
    room_flush(room, a);
    kept = stats_get(&room->stats.kept_bytes);
    assert_int_equal(kept, ROOM_ROWS * ROOM_ROWS * sizeof(float));
    assert_int_equal(runs_delete(room->runs, a->run->id), RUN_CONTROL_RUNNING);
    room_bye(room, a);
    assert_int_equal(
        runs_delete(room->runs, a->run->id), RUN_CONTROL_BUSY); /* BLOCK_RELEASE is on its way */
    while (stats_get(&room->stats.kept_bytes) > 0 || run_is_in_use(a->run))
        uv_run(&room->loop, UV_RUN_ONCE);
    assert_int_equal(runs_delete(room->runs, a->run->id), RUN_CONTROL_DONE);
}

static void test_scalars(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct session *b = room_hello(room, "r", "b", 1, false, NULL);
    int64_t step;

    room_log(room, a, "loss", 1);
    room_log(room, b, "loss", 1); /* the first rank is believed */
    room_log(room, b, "loss", 2);
    room_log(room, a, "loss", 0); /* late, and of one who was not the last: nobody's */
    assert_int_equal(room_count(room, "loss", 0, &step), 2);
    assert_int_equal(step, 2);
}

static void test_scalars_wait_for_the_disk(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, true, NULL);
    struct session *b = room_hello(room, "r", "b", 1, false, NULL);
    struct registry *registry = a->run->registry;
    int64_t step;

    registry->disk_short = true; /* until the next tick, which looks */
    room_log(room, a, "loss", 1);
    room_log(room, a, "loss", 2);
    room_log(room, b, "accuracy", 1); /* what is not lossless is judged, and not stored */
    room->ops.flush(room->ops.ctx, a, 1);
    assert_true(a->backlog.entries && registry->backlog_bytes > 0 && a->barriers);
    assert_false(room->ops.may_send(room->ops.ctx, a, true));
    assert_true(room->ops.may_send(room->ops.ctx, b, true));
    assert_int_equal(room_count(room, "loss", 0, &step), 0);
    room_flush(room, a);
    assert_true(!a->backlog.entries && registry->backlog_bytes == 0);
    assert_true(room_count(room, "loss", 0, &step) == 2 && step == 2);
    assert_int_equal(room_count(room, "accuracy", 0, &step), 1);
    assert_int_equal(a->run->dropped, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_newer_of_two_that_wait_wins),
        TEST(test_a_lossless_session_loses_nothing),
        TEST(test_the_first_of_a_layer_is_kept),
        TEST(test_a_lost_tensor_takes_its_sample_with_it),
        TEST(test_an_mlp_block_is_measured_once_its_layers_have_joined),
        TEST(test_a_flush_waits_for_what_came_before_it),
        TEST(test_a_rewind_drops_what_is_on_its_way),
        TEST(test_a_run_that_rests_gives_its_memory_back),
        TEST(test_scalars),
        TEST(test_scalars_wait_for_the_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
