/* What goes in comes out: rows through the catalog, once, after a restart too; sinks and fences;
 * the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/reader.h"
#include "daemon/store/reader_runs.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/virtual_clock.h"

/* The catalog as text, a line a row: compared with what was put. */
struct transcript {
    char text[4096];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(
    struct transcript *transcript, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wrote = vsnprintf(transcript->text + transcript->length,
        sizeof transcript->text - transcript->length, format, arguments);
    va_end(arguments);
    assert_true(wrote > 0 && (size_t)wrote < sizeof transcript->text - transcript->length);
    transcript->length += (size_t)wrote;
}

static void say_run(void *ctx, const struct store_run *run)
{
    say(ctx, "run %ld %s|%s|%s|%s a%u %g %g step %ld %lu %lu\n", (long)run->id, run->key, run->name,
        run_state_names[run->state], run->tags, run->attempt, run->started_at, run->last_seen_at,
        (long)run->last_step, (unsigned long)run->dropped, (unsigned long)run->undefined);
}

static void say_attempt(void *ctx, const struct store_attempt *attempt)
{
    say(ctx, "attempt %ld %u from %ld at %g\n", (long)attempt->run, attempt->number,
        (long)attempt->first_step, attempt->started_at);
}

static void say_session(void *ctx, const struct store_session *session)
{
    say(ctx, "session %ld %s|%s a%u %u/%u %s %lu\n", (long)session->run, session->key,
        session->client, session->attempt, session->rank, session->world,
        session_state_names[session->state], (unsigned long)session->dropped);
}

static void say_layer(void *ctx, const struct store_layer *layer)
{
    say(ctx, "layer %ld %ld %s|%s|%s|%s|%s %lux%lu t%d\n", (long)layer->id, (long)layer->run,
        layer->name, layer->kind, layer->role, layer->block, layer->dtype,
        (unsigned long)layer->rows, (unsigned long)layer->cols, layer->transposed);
}

static void say_baseline(void *ctx, const struct baseline_row *row)
{
    say(ctx, "baseline %ld a%u step %ld %s %lu %lx\n", (long)row->layer, row->attempt,
        (long)row->step, row->dtype, (unsigned long)row->bytes, (unsigned long)row->checksum);
}

static void say_tracker(void *ctx, const struct store_tracker *row)
{
    say(ctx, "tracker %ld a%u step %ld %.*s\n", (long)row->layer, row->attempt, (long)row->step,
        (int)row->size, (const char *)row->state);
}

static void say_alert(void *ctx, const struct store_alert *alert)
{
    say(ctx, "alert %ld %ld a%u %s|%s|%s|%s|%s|%s|%s o%d %ld-%ld %g %g\n", (long)alert->id,
        (long)alert->run, alert->attempt, alert->rule, alert_severity_names[alert->severity],
        alert_state_names[alert->state], alert->title, alert->summary, alert->layers,
        alert->evidence, alert->observed, (long)alert->started_step, (long)alert->last_step,
        alert->started_at, alert->resolved_at);
}

static void assert_catalog(struct fixture *fixture, const char *expected)
{
    struct error error = {0};
    struct transcript transcript = {.length = 0};
    const struct store_catalog visitor = {say_run, say_attempt, say_session, say_layer,
        say_baseline, say_tracker, say_alert, &transcript};
    if (store_catalog(fixture->store, &visitor, &error))
        fail_msg("%s", error.text);
    assert_string_equal(transcript.text, expected);
}

static struct store_batch *rich_batch(void)
{
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(10, 1, "up");
    struct alert_record firing = fixture_alert(5, 1), resolved = fixture_alert(6, 1);
    run.attempt = 2;
    resolved.state = ALERT_RESOLVED;
    resolved.resolved_at = 1300;
    store_put_run(batch, &run);
    store_put_attempt(
        batch, &(struct store_attempt){.run = 1, .number = 1, .first_step = 0, .started_at = 1000});
    store_put_attempt(batch,
        &(struct store_attempt){.run = 1, .number = 2, .first_step = -1, .started_at = 1500});
    store_put_session(batch, &(struct store_session){1, "s-old", "py", 1, 0, 2, SESSION_LOST, 5});
    store_put_session(batch, &(struct store_session){1, "s-lag", "py", 1, 2, 3, SESSION_LIVE, 6});
    store_put_session(batch, &(struct store_session){1, "s-new", "py", 2, 1, 2, SESSION_LIVE, 7});
    store_put_layer(batch, &layer);
    store_put_baseline(batch, &(struct baseline_row){.layer = 10,
                                  .step = 3,
                                  .attempt = 1,
                                  .dtype = "bf16",
                                  .bytes = 99,
                                  .checksum = 0xfedcba9876543210});
    store_put_tracker(
        batch, &(struct store_tracker){
                   .layer = 10, .step = 8, .attempt = 2, .state = "vectors", .size = 7});
    store_put_alert(batch, &firing);
    store_put_alert(batch, &resolved);
    return batch;
}

#define EVIDENCE                                                                                   \
    "[{\"layer\":\"up\",\"metric\":\"m\",\"value\":2.5,\"threshold\":2.0,\"baseline\":null,"       \
    "\"window\":null,\"step\":40}]"

#define RICH_CATALOG                                                                               \
    "run 1 alpha|a run|running|{\"k\":1} a2 1000.5 2000.25 step 7 3 4\n"                           \
    "attempt 1 1 from 0 at 1000\n"                                                                 \
    "attempt 1 2 from -1 at 1500\n"                                                                \
    "session 1 s-lag|py a1 2/3 open 6\n" /* of an older attempt, as s-old, which is not open */    \
    "session 1 s-new|py a2 1/2 open 7\n"                                                           \
    "layer 10 1 up|layer|gate|mlp.0|bf16 512x128 t1\n"                                             \
    "baseline 10 a1 step 3 bf16 99 fedcba9876543210\n"                                             \
    "tracker 10 a2 step 8 vectors\n"                                                               \
    "alert 5 1 a1 growth|warning|firing|it grows|by a lot|[\"up\"]|" EVIDENCE " o0 40-44 "         \
    "1234.5 0\n"

static void rows_come_back_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    assert_catalog(fixture, "");
    fixture_submit(fixture, rich_batch());
    fixture_flush(fixture);
    assert_catalog(fixture, RICH_CATALOG);
    fixture_reopen(fixture);
    assert_catalog(fixture, RICH_CATALOG);
    assert_int_equal(store_last_run_id(fixture->store), 1);
    assert_int_equal(store_last_layer_id(fixture->store), 10);
    assert_int_equal(store_new_alert_id(fixture->store), 7);
}

static void rows_are_updated_and_keep_what_belongs_to_them(void **state)
{
    struct fixture *fixture = *state;
    struct figure figure = fixture_figure(1, 10, "sigma", 1, 2.0);
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(10, 1, "up");
    struct store_batch *batch = rich_batch();
    store_put_figure(batch, &figure);
    store_put_ack(batch, 5, 1250.0);
    fixture_submit(fixture, batch);

    batch = store_batch_new();
    run.state = RUN_ENDED;
    run.attempt = 2;
    run.last_step = -1;
    layer.dtype = "fp32";
    struct alert_record alert = fixture_alert(5, 1);
    strcpy(alert.summary, "by more");
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    store_put_attempt(
        batch, &(struct store_attempt){.run = 1, .number = 2, .first_step = 9, .started_at = 1500});
    store_put_session(batch, &(struct store_session){1, "s-new", "py", 2, 1, 2, SESSION_CLOSED, 8});
    store_put_alert(batch, &alert);
    store_put_tracker(batch,
        &(struct store_tracker){.layer = 10, .step = 9, .attempt = 2, .state = "newer", .size = 5});
    fixture_submit(fixture, batch);
    fixture_flush(fixture);

    assert_catalog(fixture,
        "run 1 alpha|a run|ended|{\"k\":1} a2 1000.5 2000.25 step -1 3 4\n"
        "attempt 1 1 from 0 at 1000\n"
        "attempt 1 2 from 9 at 1500\n"
        "session 1 s-lag|py a1 2/3 open 6\n"
        "session 1 s-new|py a2 1/2 closed 8\n"
        "layer 10 1 up|layer|gate|mlp.0|fp32 512x128 t1\n"
        "baseline 10 a1 step 3 bf16 99 fedcba9876543210\n"
        "tracker 10 a2 step 9 newer\n"
        "alert 5 1 a1 growth|warning|firing|it grows|by more|[\"up\"]|" EVIDENCE " o0 40-44 "
        "1234.5 0\n");
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), 1);
    assert_int_equal(
        fixture_query(fixture, "SELECT acknowledged_at FROM alert WHERE id = 5"), 1250);
}

struct replayed {
    struct figure list[16];
    size_t count;
};

static void collect(void *ctx, const struct figure *figure)
{
    struct replayed *replayed = ctx;
    assert_in_range(replayed->count, 0, 15);
    replayed->list[replayed->count++] = *figure;
}

static void a_figure_counts_once_and_is_replayed_in_order(void **state)
{
    struct fixture *fixture = *state;
    const struct figure figures[] = {
        fixture_figure(1, 10, "b", 2, 22), fixture_figure(1, 0, "a", 1, NAN),
        fixture_figure(1, 10, "b", 1, INFINITY), fixture_figure(1, 10, "other", 1, 5),
        fixture_figure(1, 10, "b", 2, 99), /* sent twice: the first stays */
    };
    struct store_batch *batch = rich_batch();
    for (size_t i = 0; i < 5; i++)
        store_put_figure(batch, &figures[i]);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    batch = store_batch_new();
    store_put_figure(batch, &figures[4]);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_int_equal(stats_get(&fixture->stats.figures_stored_total), 4);

    struct error error = {0};
    struct replayed got = {.count = 0};
    assert_int_equal(store_replay(fixture->store, 1, 1, (const char *const[]){"a", "b", NULL},
                         collect, &got, &error),
        0);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.list[0].step, 1);
    assert_int_equal(got.list[1].step, 1);
    assert_true(isinf(got.list[0].value) &&
                isnan(got.list[1].value)); /* of one step and time: the older series first */
    assert_int_equal(got.list[2].step, 2);
    assert_true(got.list[2].value == 22 && got.list[2].time == 1002);
    assert_string_equal(got.list[2].metric, "b");
    assert_int_equal(got.list[2].layer, 10);
}

static void told_figures(void *ctx, const struct store_committed_figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        say(ctx, "figure %s|%s|%s %ld %g\n", figures[i].run_key, figures[i].layer,
            figures[i].metric, (long)figures[i].figure->step, figures[i].figure->value);
}

static void told_alert(void *ctx, const char *run_key, const struct store_alert *alert)
{
    say(ctx, "alert %s %ld\n", run_key, (long)alert->id);
}

static void told_run(void *ctx, const struct store_run *run)
{
    say(ctx, "run %s %s\n", run->key, run_state_names[run->state]);
}

static void told_gone(void *ctx, int64_t run)
{
    say(ctx, "gone %ld\n", (long)run);
}

static void the_sink_hears_what_is_new(void **state)
{
    struct fixture *fixture = *state;
    struct transcript told = {.length = 0};
    fixture->options.sink =
        (struct store_sink){told_figures, told_alert, told_run, told_gone, &told};
    fixture_reopen(fixture);
    struct store_batch *batch = rich_batch();
    const struct figure of_layer = fixture_figure(1, 10, "sigma", 4, 1.5),
                        of_run = fixture_figure(1, 0, "loss", 4, 3),
                        again = fixture_figure(1, 0, "loss", 4, 9),
                        of_nobody = fixture_figure(77, 0, "loss", 4, 3);
    store_put_figure(batch, &of_layer);
    store_put_figure(batch, &of_run);
    store_put_figure(batch, &again);
    store_put_figure(batch, &of_nobody);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    batch = store_batch_new();
    store_put_delete_run(batch, 1);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_string_equal(told.text,
        "figure alpha|up|sigma 4 1.5\nfigure alpha||loss 4 3\nrun alpha running\n"
        "alert alpha 5\nalert alpha 6\ngone 1\n");
}

static bool no_rows_left(void *ctx)
{
    return fixture_query(ctx,
               "SELECT (SELECT count(*) FROM run WHERE id = 1) + (SELECT count(*) FROM point) +"
               " (SELECT count(*) FROM histogram) + (SELECT count(*) FROM layer WHERE run_id = 1) +"
               " (SELECT count(*) FROM baseline)") == 0;
}

static void ignore_run(void *ctx, const struct reader_run *run) {}

static void a_deleted_run_is_unseen_at_once_and_its_rows_go(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char path[128];
    struct baseline_row row = {
        .layer = 10, .attempt = 1, .step = 3, .dtype = "float32", .bytes = 1};
    struct store_batch *batch = rich_batch();
    for (int64_t step = 0; step < 5000; step++) {
        const struct figure figure = fixture_figure(1, 10, step % 2 ? "odd" : "even", step, 1);
        store_put_figure(batch, &figure);
    }
    const struct histogram histogram = {
        .run = 1, .layer = 10, .step = 1, .attempt = 1, .metric = "h"};
    store_put_histogram(batch, &histogram);
    fixture_submit(fixture, batch);
    assert_int_equal(
        store_baseline_write(fixture->store, &row, &(struct baseline_part){"w", 1}, 1, &error), 0);
    fixture_flush(fixture);

    batch = store_batch_new();
    struct store_run next = fixture_run(2, "alpha"); /* the key is free again in the same batch */
    const struct figure late = fixture_figure(1, 10, "odd", 9999, 1);
    store_put_delete_run(batch, 1);
    store_put_run(batch, &next);
    store_put_figure(batch, &late);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    struct reader *reader;
    assert_int_equal(reader_open(&reader, fixture->dir, &error), 0);
    struct store_run late_run =
        fixture_run(1, "alpha"); /* what the loop still had to say of the old one */
    batch = store_batch_new();
    store_put_run(batch, &late_run);
    fixture_submit(fixture, batch);
    assert_catalog(fixture, "run 2 alpha|a run|running|{\"k\":1} a1 1000.5 2000.25 step 7 3 4\n");
    assert_int_equal(reader_layers(reader, 1, NULL, NULL), READER_NONE);
    assert_int_equal(reader_run(reader, "alpha", ignore_run, NULL), READER_OK);
    reader_close(&reader);

    fixture_await(no_rows_left, fixture);
    snprintf(path, sizeof path, "%s/baselines/10-1-3.w0", fixture->dir);
    assert_int_equal(access(path, F_OK), -1);
    fixture_reopen(fixture);
    assert_int_equal(store_new_alert_id(fixture->store), 7); /* ids are never given twice */
    assert_int_equal(store_last_layer_id(fixture->store), 10);
}

static void count_lines(void *ctx, bool error, const char *text)
{
    assert_true(error);
    assert_non_null(strstr(text, "left out 2 rows"));
    ++*(int *)ctx;
}

static void a_refused_row_spoils_no_other(void **state)
{
    struct fixture *fixture = *state;
    int lines = 0;
    fixture->options.log = count_lines;
    fixture->options.log_ctx = &lines;
    fixture_reopen(fixture);
    struct store_batch *batch = store_batch_new();
    struct store_run good = fixture_run(1, "good"), bad = fixture_run(2, "bad");
    struct store_layer homeless = fixture_layer(3, 99, "up");
    bad.state = RUN_NEW;
    store_put_run(batch, &bad);
    store_put_layer(batch, &homeless);
    store_put_run(batch, &good);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM run"), 1);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM run WHERE key = 'good'"), 1);
    assert_int_equal(lines, 1);
}

/* What no daemon of this version writes: a hand, or a damaged page. */
static void write_past_the_schema(const struct fixture *fixture, const char *sql)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/foreshock.db", fixture->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void assert_unreadable(
    struct fixture *fixture, const char *sql, const char *mend, const char *row)
{
    const struct store_catalog visitor = {.ctx = NULL};
    struct error error = {0};
    write_past_the_schema(fixture, sql);
    assert_int_equal(store_catalog(fixture->store, &visitor, &error), -1);
    assert_non_null(strstr(error.text, row));
    assert_non_null(strstr(error.text, "'dreaming'"));
    write_past_the_schema(fixture, mend);
    assert_int_equal(store_catalog(fixture->store, &visitor, &error), 0);
}

static void a_state_that_has_no_meaning_is_reported(void **state)
{
    struct fixture *fixture = *state;
    fixture_submit(fixture, rich_batch());
    fixture_flush(fixture);
    assert_unreadable(fixture, "UPDATE run SET state = 'dreaming' WHERE id = 1",
        "UPDATE run SET state = 'lost' WHERE id = 1", "run ");
    assert_unreadable(fixture, "UPDATE session SET state = 'dreaming'",
        "UPDATE session SET state = 'open'", "session ");
    assert_unreadable(fixture, "UPDATE alert SET severity = 'dreaming'",
        "UPDATE alert SET severity = 'warning'", "alert ");
}

static void hear_refusal(void *ctx, bool error, const char *text)
{
    if (error && strstr(text, "'dreaming'"))
        ++*(int *)ctx;
}

/* The writer leaves it out and goes on. */
static void an_alert_that_cannot_be_read_stops_no_writer(void **state)
{
    struct fixture *fixture = *state;
    int lines = 0;
    fixture->options.log = hear_refusal;
    fixture->options.log_ctx = &lines;
    fixture_reopen(fixture);
    fixture_submit(fixture, rich_batch());
    fixture_flush(fixture);
    write_past_the_schema(fixture, "UPDATE alert SET severity = 'dreaming', state = 'firing'");
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(7, "seven");
    store_put_silence(
        batch, &(struct store_silence){
                   .id = 1, .run = "*", .reason = "", .created_by = "", .expires_at = 9e9});
    store_put_run(batch, &run);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_int_equal(lines, 1);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM run WHERE key = 'seven'"), 1);
}

static void hear_no_alert(void *ctx, const char *run_key, const struct store_alert *alert)
{
    (void)ctx, (void)run_key, (void)alert;
    fail_msg("an alert that cannot be read reached the sink");
}

static void hear_unshown(void *ctx, bool error, const char *text)
{
    if (error && strstr(text, "reaches nobody who listens: alert 5: the column 'severity'"))
        ++*(int *)ctx;
}

/* Its row is resolved; the sink cannot be given it, and the log says so. */
static void an_alert_that_cannot_be_shown_is_logged(void **state)
{
    struct fixture *fixture = *state;
    int lines = 0;
    fixture_submit(fixture, rich_batch());
    fixture_flush(fixture);
    fixture->options.sink = (struct store_sink){.alert = hear_no_alert};
    fixture->options.log = hear_unshown;
    fixture->options.log_ctx = &lines;
    fixture_reopen(fixture);
    write_past_the_schema(
        fixture, "UPDATE alert SET severity = 'dreaming', state = 'firing' WHERE id = 5");
    struct store_batch *batch = store_batch_new();
    store_put_alert_end(batch, 5, 3000);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_int_equal(lines, 1);
}

static void the_queue_has_a_bound(void **state)
{
    struct fixture *fixture = *state;
    static char big[32 << 20];
    size_t taken = 0;
    struct store_run run = fixture_run(1, "alpha");
    struct store_batch *batch = store_batch_new();
    store_put_run(batch, &run);
    fixture_submit(fixture, batch);
    while (taken < 100000 && store_has_room(fixture->store)) {
        batch = store_batch_new();
        store_put_tracker(
            batch, &(struct store_tracker){.layer = 1, .state = big, .size = sizeof big});
        fixture_submit(fixture, batch);
        taken++;
    }
    assert_in_range(taken, STORE_QUEUE_BYTES_MAX / sizeof big / 2, 99999);
    if (!store_has_room(fixture->store)) /* it may have been emptied meanwhile */
        assert_in_range(stats_get(&fixture->stats.store_queue), 1, STORE_QUEUE_MAX);
}

static void a_second_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char pid[32];
    struct store *second = NULL;
    assert_int_equal(store_open(&second, &fixture->options, &error), STORE_IN_USE);
    assert_null(second);
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(error.text, pid));
    assert_non_null(strstr(error.text, fixture->dir));
    store_close(&fixture->store);
    fixture_open(fixture);
}

static void a_missing_directory_is_made_for_us_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char dir[128];
    struct stat found;
    struct store *store = NULL;
    struct store_options options = fixture->options;
    snprintf(dir, sizeof dir, "%s/a/b", fixture->dir);
    options.state_dir = dir;
    assert_int_equal(store_open(&store, &options, &error), STORE_OK);
    assert_int_equal(stat(dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    snprintf(dir, sizeof dir, "%s/a/b/foreshock.db", fixture->dir);
    assert_int_equal(stat(dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    store_close(&store);
}

static void an_unusable_directory_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char dir[128];
    struct store *store = NULL;
    struct store_options options = fixture->options;
    snprintf(dir, sizeof dir, "%s/lock/deeper", fixture->dir); /* `lock` is a file */
    options.state_dir = dir;
    assert_int_equal(store_open(&store, &options, &error), STORE_UNUSABLE);
    assert_non_null(strstr(error.text, dir));
    assert_non_null(strstr(error.text, "Not a directory"));
    store_close(&store);                   /* safe on NULL */
    options.state_dir = "/proc/foreshock"; /* not writable, not even for root */
    assert_int_equal(store_open(&store, &options, &error), STORE_UNUSABLE);
    assert_non_null(strstr(error.text, "/proc/foreshock"));
}

static int virtual_setup(void **state)
{
    virtual_clock_use();
    return fixture_setup(state);
}

static int virtual_teardown(void **state)
{
    int rc = fixture_teardown(state);
    virtual_clock_end();
    return rc;
}

static void submit_run(struct fixture *fixture, int64_t id, const char *key)
{
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(id, key);
    store_put_run(batch, &run);
    fixture_submit(fixture, batch);
}

static bool two_runs_are_committed(void *ctx)
{
    return fixture_query(ctx, "SELECT count(*) FROM run") == 2;
}

static bool a_run_is_committed(void *ctx)
{
    return fixture_query(ctx, "SELECT count(*) FROM run") == 1;
}

static void commits_that_nobody_waits_for_keep_their_distance(void **state)
{
    struct fixture *fixture = *state;
    submit_run(fixture, 1, "a");
    fixture_await(a_run_is_committed, fixture);
    submit_run(fixture, 2, "b");
    usleep(20000); /* time stands still: it waits, however long this is */
    assert_true(a_run_is_committed(fixture));
    virtual_clock_move(499);
    usleep(20000);
    assert_true(a_run_is_committed(fixture));
    virtual_clock_move(1);
    fixture_await(two_runs_are_committed, fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        WITH_STORE(rows_come_back_after_a_restart),
        WITH_STORE(rows_are_updated_and_keep_what_belongs_to_them),
        WITH_STORE(a_figure_counts_once_and_is_replayed_in_order),
        WITH_STORE(the_sink_hears_what_is_new),
        WITH_STORE(a_deleted_run_is_unseen_at_once_and_its_rows_go),
        WITH_STORE(a_refused_row_spoils_no_other),
        WITH_STORE(a_state_that_has_no_meaning_is_reported),
        WITH_STORE(an_alert_that_cannot_be_read_stops_no_writer),
        WITH_STORE(an_alert_that_cannot_be_shown_is_logged),
        WITH_STORE(the_queue_has_a_bound),
        WITH_STORE(a_second_store_is_refused),
        WITH_STORE(a_missing_directory_is_made_for_us_alone),
        WITH_STORE(an_unusable_directory_is_named),
        cmocka_unit_test_setup_teardown(
            commits_that_nobody_waits_for_keep_their_distance, virtual_setup, virtual_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
