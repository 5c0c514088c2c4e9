/* Readers against naive references computed from the figures that were put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/bucket.h"
#include "daemon/store/reader.h"
#include "daemon/store/reader_runs.h"
#include "daemon/store/reader_series.h"
#include "tests/unit/store/fixture.h"

#define BUCKETS_MAX 512

struct answer {
    uint32_t attempts[8];
    struct reader_bucket buckets[8][BUCKETS_MAX];
    size_t counts[8], count;
};

static void collect_series(
    void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count)
{
    struct answer *answer = ctx;
    assert_in_range(count, 1, BUCKETS_MAX);
    answer->attempts[answer->count] = attempt;
    answer->counts[answer->count] = count;
    memcpy(answer->buckets[answer->count++], buckets, count * sizeof *buckets);
}

static struct reader *open_reader(struct fixture *fixture)
{
    struct error error = {0};
    struct reader *reader = NULL;
    if (reader_open(&reader, fixture->dir, &error))
        fail_msg("%s", error.text);
    return reader;
}

static void put_run_and_layer(struct store_batch *batch)
{
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(10, 1, "up");
    run.attempt = 3;
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
}

/* The naive reference: for every step the newest attempt that may answer, then every point into
 * its bucket, with sums over the whole list. */
struct reference {
    const struct figure *figures;
    size_t count;
};

static int64_t first_step_after(const struct reference *all, uint32_t attempt)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < all->count; i++) {
        if (all->figures[i].attempt > attempt && all->figures[i].step < first)
            first = all->figures[i].step;
    }
    return first;
}

static bool is_seen(const struct reference *all, const struct figure *figure,
    const struct reader_series_query *query)
{
    if (figure->step < query->from || figure->step > query->to)
        return false;
    if (query->attempt)
        return figure->attempt == query->attempt;
    return figure->step < first_step_after(all, figure->attempt);
}

/* One bucket of one attempt: [begin, end). */
static struct reader_bucket reference_bucket(const struct reference *all,
    const struct reader_series_query *query, uint32_t attempt, int64_t begin, int64_t end)
{
    struct reader_bucket bucket = {
        .min = NAN, .mean = NAN, .max = NAN, .last = NAN, .step = INT64_MIN};
    double sum = 0;
    int64_t last_finite = INT64_MIN;
    for (size_t i = 0; i < all->count; i++) {
        const struct figure *figure = &all->figures[i];
        if (figure->attempt != attempt || !is_seen(all, figure, query) || figure->step < begin ||
            figure->step >= end)
            continue;
        bucket.count++;
        if (figure->step > bucket.step) {
            bucket.step = figure->step;
            bucket.time = figure->time;
        }
        if (!isfinite(figure->value)) {
            bucket.nonfinite++;
            continue;
        }
        sum += figure->value;
        if (isnan(bucket.min) || figure->value < bucket.min)
            bucket.min = figure->value;
        if (isnan(bucket.max) || figure->value > bucket.max)
            bucket.max = figure->value;
        if (figure->step > last_finite) {
            last_finite = figure->step;
            bucket.last = figure->value;
        }
    }
    if (bucket.count > bucket.nonfinite)
        bucket.mean = sum / (double)(bucket.count - bucket.nonfinite);
    return bucket;
}

static void assert_same_double(double got, double expected, double tolerance)
{
    if (isnan(expected) ? !isnan(got)
                        : !(fabs(got - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", got, expected);
}

static void assert_same_bucket(
    const struct reader_bucket *got, const struct reader_bucket *expected)
{
    assert_int_equal(got->step, expected->step);
    assert_int_equal(got->count, expected->count);
    assert_int_equal(got->nonfinite, expected->nonfinite);
    assert_same_double(got->time, expected->time, 0);
    assert_same_double(got->min, expected->min, 0);
    assert_same_double(got->max, expected->max, 0);
    assert_same_double(got->last, expected->last, 0);
    assert_same_double(got->mean, expected->mean, 1e-12);
}

/* Checks one query against the reference; returns how many buckets there were. */
static size_t check_series(
    struct reader *reader, const struct reference *all, const struct reader_series_query *query)
{
    static struct answer answer;
    answer.count = 0;
    assert_int_equal(reader_series(reader, query, collect_series, &answer), READER_OK);
    int64_t first = INT64_MAX, last = INT64_MIN;
    size_t series = 0, total = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (!is_seen(all, &all->figures[i], query))
            continue;
        first = all->figures[i].step < first ? all->figures[i].step : first;
        last = all->figures[i].step > last ? all->figures[i].step : last;
    }
    int64_t width = 1;
    while (first <= last && (last - first) / width + 1 > (int64_t)query->points)
        width++;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        size_t at = 0;
        for (int64_t begin = first; begin <= last; begin += width) {
            const struct reader_bucket expected =
                reference_bucket(all, query, attempt, begin, begin + width);
            if (expected.count == 0)
                continue;
            assert_true(series < answer.count && answer.attempts[series] == attempt &&
                        at < answer.counts[series]);
            assert_same_bucket(&answer.buckets[series][at++], &expected);
        }
        if (at > 0)
            assert_int_equal(answer.counts[series++], at);
        assert_in_range(at, 0, query->points);
        total += at;
    }
    assert_int_equal(answer.count, series);
    return total;
}

static double odd_value(unsigned draw)
{
    if (draw % 17 == 0)
        return NAN;
    if (draw % 23 == 0)
        return draw % 2 ? INFINITY : -INFINITY;
    return (double)(draw % 1000) / 7.0 - 60.0;
}

/* Three attempts with gaps: 0..999, 400..699 and 600..1199, the last with a long row of NaN. */
static size_t make_attempts(struct figure *figures)
{
    const int64_t begin[3] = {0, 400, 600}, end[3] = {1000, 700, 1200};
    size_t count = 0;
    srand(7);
    for (uint32_t attempt = 0; attempt < 3; attempt++) {
        for (int64_t step = begin[attempt]; step < end[attempt]; step += 1 + rand() % 5) {
            double value = step >= 1000 && step < 1080 ? (double)NAN : odd_value((unsigned)rand());
            figures[count] = fixture_figure(1, 10, "m", step, value);
            figures[count++].attempt = attempt + 1;
        }
    }
    return count;
}

static void buckets_equal_the_naive_reference(void **state)
{
    struct fixture *fixture = *state;
    static struct figure figures[3000];
    struct store_batch *batch = store_batch_new();
    put_run_and_layer(batch);
    const struct reference all = {figures, make_attempts(figures)};
    for (size_t i = 0; i < all.count; i++)
        store_put_figure(batch, &figures[(i * 997) % all.count]); /* not in order; 997 is prime */
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    struct reader *reader = open_reader(fixture);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), all.count);

    const int64_t ranges[][2] = {{INT64_MIN, INT64_MAX}, {0, 1199}, {350, 450}, {500, 500},
        {0, 399}, {650, 1100}, {-50, 3}, {1190, 9000}};
    const size_t points[] = {1, 2, 3, 7, 50, 100, 500};
    size_t buckets = 0;
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
            for (uint32_t attempt = 0; attempt <= 3; attempt++) {
                const struct reader_series_query query = {.run = 1,
                    .layer = 10,
                    .metric = "m",
                    .from = ranges[r][0],
                    .to = ranges[r][1],
                    .attempt = attempt,
                    .points = points[p]};
                buckets += check_series(reader, &all, &query);
            }
        }
    }
    assert_in_range(buckets, 1000, 100000); /* the queries did find data */
    reader_close(&reader);
}

static void a_grid_covers_any_range(void **state)
{
    const int64_t ends[][2] = {{INT64_MIN, INT64_MAX}, {0, 0}, {5, 14}, {-3, 7}, {0, INT64_MAX}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (size_t cells = 1; cells < 20; cells++) {
            const struct bucket_grid grid = bucket_grid(ends[i][0], ends[i][1], cells);
            size_t most = i == 0 && cells == 1 ? 2 : cells;
            assert_int_equal(bucket_cell(&grid, ends[i][0]), 0);
            assert_in_range(bucket_cell(&grid, ends[i][1]), 0, most - 1);
        }
    }
}

static void means_do_not_overflow(void **state)
{
    struct reader_bucket bucket;
    struct bucket_sum sum;
    bucket_begin(&bucket, &sum);
    for (int64_t step = 0; step < 4; step++)
        bucket_add(&bucket, &sum, step, 1, DBL_MAX);
    assert_true(bucket.mean == DBL_MAX);
}

static void unknown_and_empty_differ(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch *batch = store_batch_new();
    const struct figure figure = fixture_figure(1, 10, "m", 5, 1);
    static struct answer answer;
    put_run_and_layer(batch);
    store_put_figure(batch, &figure);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    struct reader *reader = open_reader(fixture);
    struct reader_series_query query = {
        .run = 1, .layer = 10, .metric = "m", .from = 6, .to = 9, .points = 10};
    answer.count = 0;
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_OK);
    query.from = 9;
    query.to = 5; /* turned round: nothing lies in it */
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_OK);
    assert_int_equal(answer.count, 0);
    query.attempt = 2;
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_NONE);
    query.attempt = 0;
    query.metric = "n";
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_NONE);
    query.metric = "m";
    query.run = 2;
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_NONE);
    assert_int_equal(reader_layers(reader, 2, NULL, NULL), READER_NONE);
    assert_int_equal(reader_last_values(reader, 2, NULL, NULL), READER_NONE);
    assert_int_equal(reader_series_names(reader, 2, NULL, NULL), READER_NONE);
    assert_int_equal(reader_run(reader, "nobody", NULL, NULL), READER_NONE);
    assert_int_equal(
        reader_alerts(reader, &(struct reader_alert_query){.run_key = "nobody"}, NULL, NULL),
        READER_NONE);
    assert_int_equal(
        reader_alerts(reader, &(struct reader_alert_query){.id = 3}, NULL, NULL), READER_NONE);
    assert_int_equal(
        reader_alerts(reader, &(struct reader_alert_query){.run_key = "alpha"}, NULL, NULL),
        READER_OK);
    reader_close(&reader);
}

struct columns {
    struct reader_column list[16];
    size_t count;
};

static void collect_columns(
    void *ctx, uint32_t attempt, const struct reader_column *columns, size_t count)
{
    struct columns *all = ctx;
    assert_int_equal(attempt, 1);
    assert_in_range(count, 1, 16);
    memcpy(all->list, columns, count * sizeof *columns);
    all->count = count;
}

static void histograms_are_summed(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch *batch = store_batch_new();
    uint64_t expected[5][HISTOGRAM_BINS] = {{0}};
    put_run_and_layer(batch);
    for (uint32_t i = 0; i < 50; i++) {
        struct histogram histogram = {.run = 1,
            .layer = 10,
            .step = 100 + i,
            .time = 5.0 + i,
            .attempt = 1,
            .metric = "angles"};
        for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
            histogram.counts[bin] =
                (i + 1) * (bin + 3) * 60000000u; /* wraps: any 32 bits come back */
            expected[i / 10][bin] += histogram.counts[bin];
        }
        store_put_histogram(batch, &histogram);
        store_put_histogram(batch, &histogram);
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    assert_int_equal(stats_get(&fixture->stats.figures_stored_total), 50);

    struct reader *reader = open_reader(fixture);
    struct columns got = {.count = 0};
    struct reader_series_query query = {
        .run = 1, .layer = 10, .metric = "angles", .from = 0, .to = INT64_MAX, .points = 5};
    assert_int_equal(reader_histogram(reader, &query, collect_columns, &got), READER_OK);
    assert_int_equal(got.count, 5);
    for (size_t c = 0; c < 5; c++) {
        assert_int_equal(got.list[c].first_step, 100 + 10 * c);
        assert_int_equal(got.list[c].last_step, 109 + 10 * c);
        assert_true(got.list[c].time == 14.0 + 10.0 * (double)c);
        assert_memory_equal(got.list[c].counts, expected[c], sizeof expected[c]);
    }
    query.metric = "none";
    assert_int_equal(reader_histogram(reader, &query, collect_columns, &got), READER_NONE);
    reader_close(&reader);
}

/* Lists as text, a line a row. */
struct lines {
    char text[2048];
};

__attribute__((format(printf, 2, 3))) static void add_line(
    struct lines *lines, const char *format, ...)
{
    size_t used = strlen(lines->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(lines->text + used, sizeof lines->text - used, format, arguments);
    va_end(arguments);
}

static void line_run(void *ctx, const struct reader_run *run)
{
    add_line(ctx, "%s layers %lu firing %lu open %lu\n", run->row.key, (unsigned long)run->layers,
        (unsigned long)run->alerts_firing, (unsigned long)run->sessions_open);
}

static void line_last(void *ctx, const struct reader_last *last)
{
    add_line(ctx, "%ld|%s|%s %ld %g %g\n", (long)last->layer_id, last->layer, last->metric,
        (long)last->step, last->time, last->value);
}

static void line_name(void *ctx, const struct reader_name *name)
{
    add_line(
        ctx, "a%u|%ld|%s|%s\n", name->attempt, (long)name->layer_id, name->layer, name->metric);
}

static void line_layer(void *ctx, const struct store_layer *layer)
{
    add_line(ctx, "%ld %s %s\n", (long)layer->id, layer->name, layer->kind);
}

static void line_alert(void *ctx, const struct reader_alert *alert)
{
    add_line(ctx, "%ld %s %s %g\n", (long)alert->row.id, alert->run_key,
        alert_state_names[alert->row.state], alert->acknowledged_at);
}

static void put_overview(struct fixture *fixture)
{
    struct store_batch *batch = store_batch_new();
    struct store_run second = fixture_run(2, "beta");
    struct store_layer block = fixture_layer(11, 1, "up"); /* a block may have a layer's name */
    struct alert_record first_alert = fixture_alert(1, 1), second_alert = fixture_alert(2, 2);
    put_run_and_layer(batch);
    block.kind = "block";
    second_alert.state = ALERT_RESOLVED;
    second_alert.severity = SEVERITY_CRITICAL;
    second_alert.resolved_at = 5000;
    store_put_run(batch, &second);
    store_put_layer(batch, &block);
    store_put_session(batch, &(struct store_session){1, "s1", "py", 3, 0, 2, SESSION_LIVE, 0});
    store_put_session(batch, &(struct store_session){1, "s2", "py", 3, 1, 2, SESSION_LOST, 0});
    store_put_alert(batch, &first_alert);
    store_put_alert(batch, &second_alert);
    store_put_ack(batch, 2, 6000);
    for (int64_t step = 0; step < 3; step++) {
        struct figure figure = fixture_figure(1, 10, "m", step, (double)step);
        store_put_figure(batch, &figure); /* of attempt 1 */
        figure.attempt = 3;
        figure.value = NAN;
        store_put_figure(batch, &figure);
        figure = fixture_figure(1, 0, "loss", step, 10.0 - (double)step);
        figure.attempt = 3;
        store_put_figure(batch, &figure);
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static void lists_are_complete_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    put_overview(fixture);
    struct reader *reader = open_reader(fixture);
    struct lines lines = {""};
    assert_int_equal(reader_runs(reader, line_run, &lines), READER_OK);
    assert_string_equal(
        lines.text, "beta layers 0 firing 0 open 0\nalpha layers 1 firing 1 open 1\n");
    lines.text[0] = '\0';
    assert_int_equal(reader_run(reader, "alpha", line_run, &lines), READER_OK);
    assert_string_equal(lines.text, "alpha layers 1 firing 1 open 1\n");
    lines.text[0] = '\0';
    assert_int_equal(reader_last_values(reader, 1, line_last, &lines), READER_OK);
    assert_string_equal(lines.text, "0||loss 2 1002 8\n10|up|m 2 1002 nan\n");
    lines.text[0] = '\0';
    assert_int_equal(reader_series_names(reader, 1, line_name, &lines), READER_OK);
    assert_string_equal(lines.text, "a3|0||loss\na1|10|up|m\na3|10|up|m\n");
    lines.text[0] = '\0';
    assert_int_equal(reader_layers(reader, 1, line_layer, &lines), READER_OK);
    assert_string_equal(lines.text, "10 up layer\n11 up block\n");
    reader_close(&reader);
}

static bool stop_at_third(void *ctx)
{
    return ++*(int *)ctx >= 3;
}

/* A watch ends a query, and readers without one go on as before. */
static void watch_ends_a_query(void **state)
{
    struct fixture *fixture = *state;
    struct reader_series_query query = {
        .run = 1, .metric = "loss", .to = INT64_MAX, .points = BUCKETS_MAX};
    struct answer answer = {0};
    int asked = 0;
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    store_put_run(batch, &run);
    for (int64_t step = 0; step < 20000; step++) {
        struct figure figure = fixture_figure(1, 0, "loss", step, 1);
        store_put_figure(batch, &figure);
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    struct reader *reader = open_reader(fixture);
    reader_watch(reader, stop_at_third, &asked);
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_FAILED);
    assert_string_equal(reader_error(reader), "the query was stopped");
    assert_int_equal(answer.count, 0);
    assert_int_equal(asked, 3);
    reader_watch(reader, NULL, NULL);
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_OK);
    assert_int_equal(answer.count, 1);
    reader_close(&reader);
}

static bool count_only(void *ctx)
{
    ++*(int *)ctx;
    return false;
}

/* SQLite asks the watch every 10,000 steps of its machine: walking through all series would take more. */
static void one_series_of_many_is_found_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct reader_series_query query = {
        .run = 1, .metric = "m777", .to = INT64_MAX, .points = BUCKETS_MAX};
    struct answer answer = {0};
    int asked = 0;
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    store_put_run(batch, &run);
    for (int i = 0; i < 5000; i++) {
        char metric[FIGURE_METRIC_MAX];
        snprintf(metric, sizeof metric, "m%d", i);
        struct figure figure = fixture_figure(1, 0, metric, 0, i);
        store_put_figure(batch, &figure);
        figure.attempt = 3;
        store_put_figure(batch, &figure);
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    struct reader *reader = open_reader(fixture);
    reader_watch(reader, count_only, &asked);
    for (query.attempt = 0; query.attempt <= 3; query.attempt += 3) {
        assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_OK);
        assert_int_equal(answer.attempts[0], 3);
        assert_int_equal((int)answer.buckets[0][0].last, 777);
        answer = (struct answer){0};
    }
    query.attempt = 2;
    assert_int_equal(reader_series(reader, &query, collect_series, &answer), READER_NONE);
    assert_int_equal(asked, 0);
    reader_close(&reader);
}

static void assert_alerts(
    struct reader *reader, const struct reader_alert_query *query, const char *expected)
{
    struct lines lines = {""};
    assert_int_equal(reader_alerts(reader, query, line_alert, &lines), READER_OK);
    assert_string_equal(lines.text, expected);
}

static void alerts_are_filtered(void **state)
{
    struct fixture *fixture = *state;
    put_overview(fixture);
    struct reader *reader = open_reader(fixture);
    const enum alert_state resolved = ALERT_RESOLVED;
    const enum alert_severity warning = SEVERITY_WARNING;
    const char *first = "1 alpha firing 0\n", *second = "2 beta resolved 6000\n";
    assert_alerts(reader, &(struct reader_alert_query){.limit = 10},
        "2 beta resolved 6000\n1 alpha firing 0\n");
    assert_alerts(reader, &(struct reader_alert_query){.limit = 1}, second);
    assert_alerts(reader, &(struct reader_alert_query){.run_key = "alpha"}, first);
    assert_alerts(reader, &(struct reader_alert_query){.state = &resolved}, second);
    assert_alerts(reader, &(struct reader_alert_query){.severity = &warning}, first);
    assert_alerts(reader, &(struct reader_alert_query){.id = 1}, first);
    assert_alerts(reader, &(struct reader_alert_query){.since = 1234.5},
        "2 beta resolved 6000\n1 alpha firing 0\n");
    assert_alerts(reader, &(struct reader_alert_query){.since = 1235}, second);
    assert_alerts(reader, &(struct reader_alert_query){.since = 5001}, "");
    reader_close(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        WITH_STORE(buckets_equal_the_naive_reference),
        cmocka_unit_test(a_grid_covers_any_range),
        cmocka_unit_test(means_do_not_overflow),
        WITH_STORE(unknown_and_empty_differ),
        WITH_STORE(histograms_are_summed),
        WITH_STORE(lists_are_complete_and_in_order),
        WITH_STORE(alerts_are_filtered),
        WITH_STORE(watch_ends_a_query),
        WITH_STORE(one_series_of_many_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
