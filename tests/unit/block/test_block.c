/* A block by itself: layers that join, weights against a w(0) that the test keeps, activations of several ranks, an MLP block's
 * neurons, and what is given back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/block/block.h"

#define ROWS  6u
#define COLS  5u
#define BYTES (ROWS * COLS * sizeof(float))

static struct stats stats;
static struct findings findings;
static struct block *block;
static struct block_member *member; /* of id 3 */

/* The baseline files, by layer: kept in memory. */
static unsigned char files[10][256];
static unsigned writes, maps, unmaps;
static int write_answer;
static bool map_fails;

static int write_file(void *ctx, struct baseline_row *row, const struct baseline_part *parts,
    size_t count, struct error *error)
{
    size_t at = 0;

    assert_ptr_equal(ctx, &stats);
    writes++;
    if (write_answer != 0) {
        error_set(error, "the test says so");
        return write_answer;
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(at + parts[i].size <= sizeof files[0]);
        memcpy(files[row->layer] + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    assert_int_equal(at, row->bytes);
    row->checksum = 17;
    return 0;
}

static const void *map_file(void *ctx, const struct baseline_row *row, struct error *error)
{
    assert_ptr_equal(ctx, &stats);
    if (map_fails) {
        error_set(error, "torn");
        return NULL;
    }
    maps++;
    return files[row->layer];
}

static void unmap_file(const void *map, uint64_t bytes)
{
    assert_true(map && bytes <= sizeof files[0]);
    unmaps++;
}

static struct block_member *join(
    int64_t id, enum block_role role, uint64_t rows, uint64_t cols, int64_t mlp_id)
{
    struct block_task task = {.kind = BLOCK_JOIN, .mlp_id = mlp_id};
    struct block_member *joined;

    task.member = joined = block_member_new(
        &(struct block_member_options){.id = id, .role = role, .rows = rows, .cols = cols});
    assert_non_null(joined);
    block_run(block, &task, &findings);
    assert_null(task.member);
    return joined;
}

static int setup(void **state)
{
    (void)state;
    memset(&stats, 0, sizeof stats);
    writes = maps = unmaps = 0;
    write_answer = 0;
    map_fails = false;
    block = block_new(&(struct block_options){
        .weights = {.files = {write_file, map_file, unmap_file, &stats}, .stats = &stats},
        .kept_bytes = 2 * BYTES,
        .run = 1});
    assert_non_null(block);
    member = join(3, BLOCK_LINEAR, ROWS, COLS, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    findings_clear(&findings);
    block_free(block);
    assert_int_equal(maps, unmaps);
    assert_true(stats.ingest_bytes == 0 && stats.kept_bytes == 0 && stats.partner_bytes == 0);
    return 0;
}

static struct tensor *tensor_of(uint64_t rows, uint64_t cols, float seed)
{
    size_t bytes = rows * cols * sizeof(float);
    struct tensor *tensor = tensor_new(bytes, &stats.ingest_bytes);
    float *data = malloc(bytes);

    assert_true(tensor && data);
    for (size_t i = 0; i < rows * cols; i++)
        data[i] = (float)((i * 7 + 3) % 11) - 5 + seed * (float)(i % 3);
    assert_int_equal(tensor_add_piece(tensor, data, bytes, data, free), 0);
    return tensor;
}

static void weights(struct block_member *of, int64_t step, uint32_t attempt, bool initial)
{
    struct block_task task = {.kind = BLOCK_WEIGHTS,
        .member = of,
        .shards = shards_new(false),
        .dtype = "float32",
        .initial = initial,
        .step = step,
        .attempt = attempt};

    findings_clear(&findings);
    shards_put(task.shards, &(struct span){false, 0, of->rows},
        tensor_of(of->rows, of->cols, 0.1f * (float)step));
    block_run(block, &task, &findings);
    assert_true(!task.shards && !findings.failed);
}

static void activations(int64_t step, uint32_t ranks)
{
    struct block_task task = {.kind = BLOCK_ACTIVATIONS,
        .member = member,
        .tensor = tensor_of(4, COLS, (float)step),
        .dtype = "float32",
        .shape = {4, COLS},
        .step = step,
        .attempt = 1,
        .ranks = ranks};

    findings_clear(&findings);
    block_run(block, &task, &findings);
    assert_null(task.tensor);
}

static void own_task(enum block_task_kind kind)
{
    struct block_task task = {.kind = kind, .step = INT64_MAX, .attempt = 1};

    findings_clear(&findings);
    block_run(block, &task, &findings);
}

/* NAN: it is not there. */
static double value_of(const char *metric)
{
    for (size_t i = 0; i < findings.figure_count; i++)
        if (strcmp(findings.figures[i].metric, metric) == 0)
            return findings.figures[i].value;
    return NAN;
}

static bool has(const char *metric)
{
    return !isnan(value_of(metric));
}

static void test_weights_against_the_first(void **state)
{
    (void)state;
    weights(member, 0, 1, false);
    assert_int_equal(findings.baseline_count, 1);
    assert_true(findings.baselines[0].layer == 3 && findings.baselines[0].checksum == 17);
    assert_string_equal(findings.baselines[0].dtype, "float32");
    assert_true(value_of("rotation.from_init") <= 0 && !has("rotation.step"));
    assert_true(findings.tracker_count == 1 && findings.trackers[0].step == 0);
    assert_int_equal(stats.kept_bytes, BYTES);
    weights(member, 2, 1, false);
    assert_true(findings.baseline_count == 0 && writes == 1 && maps == 1);
    assert_true(value_of("rotation.from_init") > 0);
    assert_true(fabs(value_of("rotation.interval") - 2) < 1e-9);
    assert_true(findings.figures[0].run == 1 && findings.figures[0].layer == 3);
    weights(member, 5, 1, true); /* declared to be the initialization */
    assert_true(writes == 2 && findings.baseline_count == 1 && unmaps == 1);
}

static void test_a_new_attempt_goes_on_from_the_baseline(void **state)
{
    (void)state;
    weights(member, 4, 1, false);
    weights(member, 6, 2, false); /* after it: the baseline serves */
    assert_true(writes == 1 && !has("rotation.step"));
    weights(member, 3, 3, false); /* before it: a new one */
    assert_int_equal(writes, 2);
    assert_true(value_of("rotation.from_init") <= 0);
}

static void test_a_baseline_that_cannot_be_read(void **state)
{
    (void)state;
    weights(member, 0, 1, false);
    map_fails = true;
    weights(member, 1, 1, false);
    assert_int_equal(findings.damage_count, 1);
    assert_true(findings.damages[0].layer == 3);
    assert_string_equal(findings.damages[0].text, "torn");
    assert_true(!has("rotation.from_init") && value_of("rotation.step") > 0);
    weights(member, 2, 1, false); /* reported once, and not silently taken anew */
    assert_true(findings.damage_count == 0 && writes == 1);
    map_fails = false;
    weights(member, 3, 1, true);
    assert_true(findings.baseline_count == 1 && value_of("rotation.from_init") <= 0);
}

static void test_a_baseline_that_finds_no_room(void **state)
{
    (void)state;
    write_answer = BASELINE_NO_ROOM;
    weights(member, 0, 1, false);
    assert_true(findings.damage_count == 0 && findings.baseline_count == 0);
    assert_true(!has("rotation.from_init"));
    weights(member, 1, 1, true); /* now it is the one that counts */
    assert_int_equal(findings.damage_count, 1);
    write_answer = 0;
    weights(member, 2, 1, true);
    assert_int_equal(findings.baseline_count, 1);
}

static void test_tokens_of_all_ranks_are_one_distribution(void **state)
{
    (void)state;
    weights(member, 0, 1, false);
    activations(1, 2);
    assert_true(findings.waiting && findings.figure_count == 0);
    activations(1, 2);
    assert_false(findings.waiting);
    assert_true(fabs(value_of("sa.tokens") - 8) < 1e-9);
    activations(1, 2); /* its step is published */
    assert_int_equal(findings.late, 1);
    activations(2, 3);
    activations(3, 3); /* a newer step closes it */
    assert_true(fabs(value_of("sa.tokens") - 4) < 1e-9 && findings.waiting);
    own_task(BLOCK_CLOSE);
    assert_true(fabs(value_of("sa.tokens") - 4) < 1e-9 && !findings.waiting);
    assert_int_equal(findings.figures[0].step, 3);
}

static void test_neurons_once_all_matrices_are_there(void **state)
{
    struct block_member *in = join(4, BLOCK_MLP_IN, 8, 4, 0);
    struct block_member *out, *gate;

    (void)state;
    weights(in, 0, 1, false);
    assert_int_equal(stats.partner_bytes, 0); /* nothing to wait for yet */
    out = join(5, BLOCK_MLP_OUT, 4, 8, 9);
    weights(in, 1, 1, false);
    assert_int_equal(stats.partner_bytes, 8 * 4 * sizeof(float));
    assert_true(!has("gate.undefined"));
    weights(out, 1, 1, false);
    assert_true(has("gate.undefined"));
    assert_int_equal(findings.figures[findings.figure_count - 1].layer, 9);
    assert_true(stats.partner_bytes == 0 && stats.kept_bytes > 0);
    gate = join(6, BLOCK_MLP_GATE, 8, 4, 0);
    weights(in, 2, 1, false);
    weights(out, 2, 1, false);
    assert_true(!has("gate.undefined"));
    weights(gate, 2, 1, false);
    assert_true(has("gate.gate_out.mean"));
}

static void test_rest_gives_memory_back(void **state)
{
    (void)state;
    weights(member, 0, 1, false);
    weights(member, 1, 1, false);
    activations(2, 2);
    own_task(BLOCK_RELEASE);
    assert_true(has("sa.tokens")); /* what was open is published */
    assert_true(stats.kept_bytes == 0 && maps == 1 && unmaps == 1);
    weights(member, 3, 1, false); /* and it goes on */
    assert_true(maps == 2 && !has("rotation.step"));
}

static void test_a_task_that_is_never_run(void **state)
{
    struct block_task task = {.kind = BLOCK_JOIN};

    (void)state;
    task.member = block_member_new(&(struct block_member_options){
        .id = 8, .rows = 2, .cols = 2, .tracker = malloc(4), .tracker_size = 4});
    assert_non_null(task.member);
    block_task_clear(&task);
    assert_null(task.member);
    task = (struct block_task){
        .kind = BLOCK_ACTIVATIONS, .member = member, .tensor = tensor_of(4, COLS, 1)};
    block_task_clear(&task); /* the member is the block's */
    assert_int_equal(stats.ingest_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_weights_against_the_first),
        TEST(test_a_new_attempt_goes_on_from_the_baseline),
        TEST(test_a_baseline_that_cannot_be_read),
        TEST(test_a_baseline_that_finds_no_room),
        TEST(test_tokens_of_all_ranks_are_one_distribution),
        TEST(test_neurons_once_all_matrices_are_there),
        TEST(test_rest_gives_memory_back),
        TEST(test_a_task_that_is_never_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
