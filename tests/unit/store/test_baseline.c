/* Baseline files: whole, or refused with what was found and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "tests/unit/store/fixture.h"

#define BYTES ((size_t)300000)

static void file_path(const struct fixture *fixture, const char *name, char path[128])
{
    snprintf(path, 128, "%s/baselines/%s", fixture->dir, name);
}

static unsigned char *some_bytes(void)
{
    unsigned char *data = malloc(BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)(i * 31 + i / 256);
    return data;
}

static struct baseline_row write_baseline_at(
    struct fixture *fixture, int64_t layer, int64_t step, const unsigned char *data)
{
    struct error error = {0};
    struct baseline_row row = {
        .layer = layer, .attempt = 2, .step = step, .dtype = "fp32", .bytes = BYTES};
    const struct baseline_part parts[] = {{data, 7}, {data + 7, 0}, {data + 7, BYTES - 7}};
    if (store_baseline_write(fixture->store, &row, parts, 3, &error))
        fail_msg("%s", error.text);
    return row;
}

static struct baseline_row write_baseline(
    struct fixture *fixture, int64_t layer, const unsigned char *data)
{
    return write_baseline_at(fixture, layer, 1, data);
}

static void assert_torn(struct fixture *fixture, const struct baseline_row *row, const char *text)
{
    struct error error = {0};
    assert_null(store_baseline_map(fixture->store, row, &error));
    if (!strstr(error.text, text) || !strstr(error.text, "7-2-1.w0"))
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

static void a_baseline_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    unsigned char *data = some_bytes();
    const struct baseline_row row = write_baseline(fixture, 7, data);
    assert_true(row.checksum == XXH3_64bits(data, BYTES));
    const void *map = store_baseline_map(fixture->store, &row, &error);
    assert_non_null(map);
    assert_memory_equal(map, data, BYTES);
    store_baseline_unmap(map, BYTES);
    store_baseline_unmap(NULL, 0);
    free(data);
}

static void a_torn_baseline_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    unsigned char *data = some_bytes();
    const struct baseline_row row = write_baseline(fixture, 7, data);
    file_path(fixture, "7-2-1.w0", path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "\xff", 1, 1000), 1);
    close(fd);
    assert_torn(fixture, &row, "its checksum is");
    assert_int_equal(truncate(path, 1234), 0);
    assert_torn(fixture, &row, "it has 1234 bytes, expected 300000");
    assert_int_equal(unlink(path), 0);
    assert_torn(fixture, &row, "cannot be opened: No such file");
    free(data);
}

static void leftovers_are_swept_at_open(void **state)
{
    struct fixture *fixture = *state;
    char path[4][128];
    const char *const names[] = {"7-2-1.w0", "8-2-1.w0", "9-1-0.w0.tmp", "README"};
    unsigned char *data = some_bytes();
    const struct baseline_row row = write_baseline(fixture, 7, data);
    write_baseline(fixture, 8, data); /* never gets a row */
    for (size_t i = 0; i < 4; i++)
        file_path(fixture, names[i], path[i]);
    for (size_t i = 2; i < 4; i++)
        close(open(path[i], O_WRONLY | O_CREAT, 0600));
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(7, 1, "up");
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    store_put_baseline(batch, &row);
    fixture_submit(fixture, batch);
    fixture_reopen(fixture);
    assert_int_equal(access(path[0], F_OK), 0);
    assert_int_equal(access(path[1], F_OK), -1);
    assert_int_equal(access(path[2], F_OK), -1);
    assert_int_equal(access(path[3], F_OK), 0); /* not ours to remove */
    free(data);
}

static void submit_baseline(struct fixture *fixture, const struct baseline_row *row)
{
    struct store_batch *batch = store_batch_new();
    store_put_baseline(batch, row);
    fixture_submit(fixture, batch);
}

static void submit_layer(struct fixture *fixture)
{
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(7, 1, "up");
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    fixture_submit(fixture, batch);
}

/* Which of the files of steps 1, 2 and 3 are there: a bit each. */
static unsigned files_there(const struct fixture *fixture)
{
    unsigned there = 0;
    for (unsigned step = 1; step <= 3; step++) {
        char name[32], path[128];
        snprintf(name, sizeof name, "7-2-%u.w0", step);
        file_path(fixture, name, path);
        there |= access(path, F_OK) == 0 ? 1U << (step - 1) : 0;
    }
    return there;
}

static void a_replaced_baseline_loses_its_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *data = some_bytes();
    struct baseline_row rows[3];
    submit_layer(fixture);
    for (int i = 0; i < 3; i++) {
        rows[i] = write_baseline_at(fixture, 7, i + 1, data);
        submit_baseline(fixture, &rows[i]);
    }
    fixture_flush(fixture);
    assert_int_equal(files_there(fixture), 4);
    submit_baseline(fixture, &rows[2]); /* told twice: it replaces nothing */
    fixture_flush(fixture);
    assert_int_equal(files_there(fixture), 4);
    free(data);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool has_failed_twice(void *ctx)
{
    return stats_get(&((struct fixture *)ctx)->stats.store_errors_total) >= 2;
}

static void a_batch_that_fails_removes_no_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *data = some_bytes();
    signal(SIGXFSZ, SIG_IGN); /* beyond the limit a write fails with EFBIG */
    submit_layer(fixture);
    const struct baseline_row first = write_baseline_at(fixture, 7, 1, data),
                              second = write_baseline_at(fixture, 7, 2, data);
    submit_baseline(fixture, &first);
    fixture_flush(fixture);
    limit_files(4096);
    submit_baseline(fixture, &second);
    fixture_await(has_failed_twice, fixture);
    assert_int_equal(files_there(fixture), 1 | 2);
    limit_files(RLIM_INFINITY);
    fixture_flush(fixture);
    assert_int_equal(files_there(fixture), 2);
    free(data);
}

static int64_t size_of(const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    return (int64_t)found.st_size;
}

/* Whatever lies at a name that the store writes to, nothing behind it changes. */
static void what_lies_in_the_way_is_not_written_through(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *data = some_bytes();
    char precious[128], partial[128], whole[128];
    file_path(fixture, "precious", precious);
    file_path(fixture, "7-2-1.w0.tmp", partial);
    file_path(fixture, "7-2-1.w0", whole);
    int fd = open(precious, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    for (int way = 0; way < 3; way++) {
        if (way == 0)
            assert_int_equal(symlink(precious, partial), 0);
        else if (way == 1)
            assert_int_equal(link(precious, partial), 0);
        else
            assert_int_equal(mkfifo(partial, 0600), 0);
        struct baseline_row row = write_baseline(fixture, 7, data);
        assert_int_equal(size_of(precious), 8);
        assert_int_equal(size_of(whole), BYTES);
        struct error error = {0};
        const void *map = store_baseline_map(fixture->store, &row, &error);
        assert_non_null(map);
        store_baseline_unmap(map, row.bytes);
        assert_int_equal(unlink(whole), 0);
    }
    struct baseline_row row = write_baseline(fixture, 7, data);
    assert_int_equal(rename(whole, partial), 0);
    assert_int_equal(symlink(partial, whole), 0);
    assert_torn(fixture, &row, "cannot be opened");
    assert_int_equal(unlink(whole), 0);
    assert_int_equal(mkfifo(whole, 0600), 0); /* and nobody waits for a writer */
    assert_torn(fixture, &row, "is torn");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        WITH_STORE(a_baseline_comes_back),
        WITH_STORE(a_torn_baseline_is_refused),
        WITH_STORE(leftovers_are_swept_at_open),
        WITH_STORE(a_replaced_baseline_loses_its_file),
        WITH_STORE(a_batch_that_fails_removes_no_file),
        WITH_STORE(what_lies_in_the_way_is_not_written_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
