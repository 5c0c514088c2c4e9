/* Spans that senders hold, and shards as they come, in random orders and cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/block/partition.h"
#include "daemon/block/shards.h"
#include "daemon/core/limits.h"

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static enum partition_joined join(
    struct partition *partition, bool cols, uint64_t begin, uint64_t end, struct span *clash)
{
    return partition_join(partition, &(struct span){cols, begin, end}, clash);
}

static void test_what_overlaps_clashes(void **state)
{
    struct partition partition = {0};
    struct span clash;

    (void)state;
    assert_int_equal(join(&partition, false, 10, 20, &clash), PARTITION_JOINED);
    assert_int_equal(join(&partition, false, 30, 40, &clash), PARTITION_JOINED);
    assert_int_equal(join(&partition, false, 20, 25, &clash), PARTITION_JOINED);
    assert_int_equal(join(&partition, false, 0, 10, &clash), PARTITION_JOINED);
    assert_int_equal(join(&partition, false, 30, 40, &clash), PARTITION_JOINED);
    assert_int_equal(partition.count, 4);
    for (uint64_t i = 1; i < partition.count; i++)
        assert_true(partition.spans[i - 1].end <= partition.spans[i].begin);
    assert_int_equal(join(&partition, false, 24, 26, &clash), PARTITION_CLASH);
    assert_true(clash.begin == 20 && clash.end == 25);
    assert_int_equal(join(&partition, false, 29, 41, &clash), PARTITION_CLASH);
    assert_true(clash.begin == 30 && clash.end == 40);
    assert_int_equal(join(&partition, false, 30, 39, &clash), PARTITION_CLASH);
    assert_int_equal(join(&partition, false, 31, 32, &clash), PARTITION_CLASH);
    assert_int_equal(join(&partition, true, 30, 40, &clash), PARTITION_CLASH);
    assert_false(clash.cols);
    assert_int_equal(partition.count, 4);
    assert_int_equal(join(&partition, false, 25, 30, &clash), PARTITION_JOINED);
    partition_clear(&partition);
    assert_int_equal(join(&partition, true, 30, 40, &clash), PARTITION_JOINED);
    partition_clear(&partition);
}

static void test_a_layer_has_so_many_shards(void **state)
{
    struct partition partition = {0};
    struct span clash;

    (void)state;
    for (uint64_t i = 0; i < LIMIT_SHARDS; i++)
        assert_int_equal(join(&partition, true, i, i + 1, &clash), PARTITION_JOINED);
    assert_int_equal(
        join(&partition, true, LIMIT_SHARDS, LIMIT_SHARDS + 1, &clash), PARTITION_FULL);
    assert_int_equal(join(&partition, true, 5, 6, &clash), PARTITION_JOINED);
    partition_clear(&partition);
}

/* Element (r, c) of the matrix that is cut: two bytes that tell where it was. */
static void put_element(unsigned char *to, uint64_t r, uint64_t c)
{
    to[0] = (unsigned char)r;
    to[1] = (unsigned char)(c + 128);
}

/* Elements [r0, r1) x [c0, c1), as they travel. */
static struct tensor *cut(
    uint64_t r0, uint64_t r1, uint64_t c0, uint64_t c1, bool transposed, _Atomic uint64_t *account)
{
    size_t bytes = (r1 - r0) * (c1 - c0) * 2;
    struct tensor *tensor = tensor_new(bytes, account);
    unsigned char *data = malloc(bytes), *to = data;

    assert_non_null(data);
    for (uint64_t i = transposed ? c0 : r0; i < (transposed ? c1 : r1); i++)
        for (uint64_t j = transposed ? r0 : c0; j < (transposed ? r1 : c1); j++, to += 2)
            put_element(to, transposed ? j : i, transposed ? i : j);
    assert_int_equal(tensor_add_piece(tensor, data, bytes, data, free), 0);
    return tensor;
}

/* Cuts `size` into random spans, in random order. Returns how many. */
static size_t cut_at_random(unsigned *seed, uint64_t size, bool cols, struct span *spans)
{
    size_t count = 0;

    for (uint64_t begin = 0; begin < size; count++) {
        uint64_t end = begin + 1 + draw(seed, (unsigned)(size - begin));

        spans[count] = (struct span){cols, begin, end};
        begin = end;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = draw(seed, (unsigned)i);
        struct span last = spans[i - 1];

        spans[i - 1] = spans[j];
        spans[j] = last;
    }
    return count;
}

static void check_whole(struct shards *shards, uint64_t rows, uint64_t cols, bool transposed)
{
    const unsigned char *data;
    unsigned char expected[2];

    for (size_t i = 0; i < shards->count; i++) {
        const struct shard *shard = &shards->shard[i];
        uint64_t height = shard->end - shard->begin;

        data = tensor_data(shard->tensor);
        for (uint64_t r = 0; r < height; r++) {
            for (uint64_t c = 0; c < cols; c++) {
                put_element(expected, shard->begin + r, c);
                assert_memory_equal(
                    data + 2 * (transposed ? c * height + r : r * cols + c), expected, 2);
            }
        }
    }
    assert_int_equal(shards->covered, rows);
}

static void gather_at_random(unsigned *seed, bool by_cols, bool transposed)
{
    _Atomic uint64_t arriving = 0, waiting = 0, working = 0;
    uint64_t rows = 1 + draw(seed, 40), cols = 1 + draw(seed, 40), size = by_cols ? cols : rows;
    struct shards *shards = shards_new(by_cols);
    struct span spans[40], missing;
    size_t count = cut_at_random(seed, size, by_cols, spans);

    for (size_t i = 0; i < count; i++) {
        const struct span *s = &spans[i];

        missing = shards_missing(shards, size);
        assert_true(missing.begin < missing.end && missing.end <= size);
        assert_false(shards_have(shards, missing.begin) || shards_have(shards, s->begin));
        assert_int_equal(shards_put(shards, s,
                             by_cols ? cut(0, rows, s->begin, s->end, transposed, &arriving)
                                     : cut(s->begin, s->end, 0, cols, transposed, &arriving)),
            0);
        assert_true(shards_have(shards, s->begin));
    }
    missing = shards_missing(shards, size);
    assert_int_equal(missing.begin, missing.end);
    assert_int_equal(shards->covered, size);
    shards_move(shards, &waiting);
    assert_int_equal(arriving, 0);
    assert_int_equal(waiting, rows * cols * 2);
    assert_int_equal(shards_bytes(shards), rows * cols * 2);
    assert_int_equal(shards_merge(shards, rows, 2, transposed, &working), 0);
    assert_int_equal(by_cols ? working : waiting, rows * cols * 2);
    assert_int_equal(by_cols ? waiting : working, 0);
    assert_int_equal(shards->count, by_cols ? 1 : count);
    check_whole(shards, rows, cols, transposed);
    shards_free(shards);
    assert_true(working == 0 && waiting == 0);
}

static void test_any_cut_in_any_order_is_the_whole(void **state)
{
    unsigned seed = 11;

    (void)state;
    for (int i = 0; i < 2000; i++)
        gather_at_random(&seed, i & 1, i & 2);
    shards_free(NULL);
}

static void test_what_is_missing_is_the_first_gap(void **state)
{
    _Atomic uint64_t account = 0;
    struct shards *shards = shards_new(true);
    struct span missing = shards_missing(shards, 9);

    (void)state;
    assert_true(missing.cols && missing.begin == 0 && missing.end == 9);
    shards_put(shards, &(struct span){true, 4, 6}, cut(0, 3, 4, 6, false, &account));
    missing = shards_missing(shards, 9);
    assert_true(missing.begin == 0 && missing.end == 4);
    shards_put(shards, &(struct span){true, 0, 4}, cut(0, 3, 0, 4, false, &account));
    missing = shards_missing(shards, 9);
    assert_true(missing.begin == 6 && missing.end == 9);
    shards_free(shards);
    assert_int_equal(account, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_overlaps_clashes),
        cmocka_unit_test(test_a_layer_has_so_many_shards),
        cmocka_unit_test(test_any_cut_in_any_order_is_the_whole),
        cmocka_unit_test(test_what_is_missing_is_the_first_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
