/* kill -9 at random moments, and a disk that refuses for a while: what a fence promised is
 * there, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/store/fixture.h"

#define KILLS   30
#define FIGURES 40 /* a batch, with one alert row that carries the batch's number */

static void nap(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

struct promise {
    int fd;
    int64_t number;
};

/* On the child's writer thread: the batch is durable, the parent may be told. */
static void tell_parent(void *ctx, bool ok)
{
    struct promise *promise = ctx;
    if (ok &&
        write(promise->fd, &promise->number, sizeof promise->number) != sizeof promise->number)
        abort();
    free(promise);
}

static struct store_batch *numbered_batch(int64_t number)
{
    struct store_batch *batch = store_batch_new();
    struct alert_record alert = fixture_alert(1, 1);
    char metric[16];
    for (int i = 0; i < FIGURES; i++) {
        snprintf(metric, sizeof metric, "m%d", i);
        const struct figure figure = fixture_figure(1, 1, metric, number, (double)number);
        store_put_figure(batch, &figure);
    }
    alert.last_step = number;
    store_put_alert(batch, &alert);
    return batch;
}

/* The child: batches from `number` on, every third with a fence, until it is killed. */
static void write_until_killed(const struct store_options *options, int fd, int64_t number)
{
    struct error error = {0};
    struct store *store = NULL;
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(1, 1, "up");
    if (store_open(&store, options, &error)) {
        fprintf(stderr, "the child cannot open the store: %s\n", error.text);
        _exit(1);
    }
    struct store_batch *batch = store_batch_new();
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    store_submit(store, batch);
    for (;; number++) {
        while (!store_has_room(store))
            nap(1);
        batch = numbered_batch(number);
        if (number % 3 == 0) {
            struct promise *promise = malloc(sizeof *promise);
            *promise = (struct promise){fd, number};
            store_on_commit(batch, tell_parent, promise);
        }
        store_submit(store, batch);
        if (number % 10 == 0)
            nap(1);
    }
}

/* Lets a child write for `ms` after it has begun to answer, kills it, and gives the last number
 * that it promised. */
static int64_t killed_after(const struct store_options *options, long ms, int64_t from)
{
    int ends[2];
    int64_t number, promised = from - 1;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(options, ends[1], from);
    }
    close(ends[1]);
    if (read(ends[0], &number, sizeof number) == sizeof number)
        promised = number;
    nap(ms);
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number)
        promised = number;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return promised;
}

static void what_a_fence_promised_survives_kill_9(void **state)
{
    struct fixture *fixture = *state;
    store_close(&fixture->store);
    int64_t from = 0;
    srand(11);
    for (int kills = 0; kills < KILLS; kills++) {
        int64_t promised = killed_after(&fixture->options, rand() % 60, from);
        assert_true(promised >= from); /* it did get somewhere */
        int64_t last = fixture_query(fixture, "SELECT max(step) FROM point");
        assert_true(last >= promised);
        /* Every batch whole, none missing, none twice; the alert is of the last batch. */
        assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point WHERE value = step"),
            (last + 1) * FIGURES);
        assert_int_equal(fixture_query(fixture, "SELECT last_step FROM alert WHERE id = 1"), last);
        from = last + 1;
    }
    fixture_open(fixture); /* after an unclean end: with the check */
    assert_int_equal(
        fixture_query(fixture, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

struct outage {
    int lines;
    bool error[4];
    char text[4][ERROR_MAX];
};

static void note(void *ctx, bool error, const char *text)
{
    struct outage *outage = ctx;
    if (outage->lines < 4) {
        outage->error[outage->lines] = error;
        snprintf(outage->text[outage->lines], ERROR_MAX, "%s", text);
    }
    outage->lines++;
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
    struct fixture *fixture = ctx;
    return stats_get(&fixture->stats.store_errors_total) >= 2;
}

static bool has_failed_four_times(void *ctx)
{
    struct fixture *fixture = ctx;
    return stats_get(&fixture->stats.store_errors_total) >= 4;
}

static void an_outage_of_the_disk_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct outage outage = {.lines = 0};
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(1, 1, "up");
    signal(SIGXFSZ, SIG_IGN); /* beyond the limit a write fails with EFBIG */
    fixture->options.log = note;
    fixture->options.log_ctx = &outage;
    fixture_reopen(fixture);
    struct store_batch *batch = store_batch_new();
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    limit_files(4096);
    for (int64_t number = 0; number < 20; number++)
        fixture_submit(fixture, numbered_batch(number));
    fixture_await(has_failed_twice, fixture);
    /* It turns and gets nothing done: whoever looks at its stamp sees that. */
    uint64_t turned = stats_get(&fixture->stats.writer_turn_ms);
    fixture_await(has_failed_four_times, fixture);
    assert_int_equal(stats_get(&fixture->stats.writer_turn_ms), turned);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), 0);
    assert_int_equal(stats_get(&fixture->stats.store_queue), 20);
    limit_files(RLIM_INFINITY);
    fixture_flush(fixture);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), 20 * FIGURES);
    assert_int_equal(stats_get(&fixture->stats.store_queue), 0);
    assert_int_equal(outage.lines, 2); /* once an outage, not once a try */
    assert_non_null(strstr(outage.text[0], "cannot write and goes on trying"));
    assert_true(outage.error[0]);
    assert_string_equal(outage.text[1], "the store writes again");
    assert_false(outage.error[1]);
}

static void hear(void *ctx, bool ok)
{
    *(int *)ctx = ok ? 1 : -1;
}

static void a_fence_that_cannot_be_kept_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct outage outage = {.lines = 0};
    int heard = 0;
    signal(SIGXFSZ, SIG_IGN);
    fixture->options.log = note;
    fixture->options.log_ctx = &outage;
    fixture_reopen(fixture);
    limit_files(4096);
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    store_put_run(batch, &run);
    store_on_commit(batch, hear, &heard);
    fixture_submit(fixture, batch);
    store_close(&fixture->store);
    limit_files(RLIM_INFINITY);
    assert_int_equal(heard, -1);
    assert_non_null(strstr(outage.text[outage.lines - 1], "they are lost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        WITH_STORE(what_a_fence_promised_survives_kill_9),
        WITH_STORE(an_outage_of_the_disk_loses_nothing),
        WITH_STORE(a_fence_that_cannot_be_kept_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
