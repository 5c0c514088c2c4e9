/* What the tests of the store share. */
#include "tests/unit/store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fixture_open(struct fixture *fixture)
{
    struct error error = {0};
    if (store_open(&fixture->store, &fixture->options, &error) != STORE_OK)
        fail_msg("store_open: %s", error.text);
}

void fixture_reopen(struct fixture *fixture)
{
    store_close(&fixture->store);
    fixture_open(fixture);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->dir, "/tmp/foreshock-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    fixture->options = (struct store_options){
        .state_dir = fixture->dir, .retention_bytes = UINT64_MAX, .stats = &fixture->stats};
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(&fixture->store);
    fixture_remove(fixture->dir);
    free(fixture);
    return 0;
}

void fixture_remove(const char *dir)
{
    DIR *folder = opendir(dir);
    if (!folder)
        return;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (unlink(path))
            fixture_remove(path);
    }
    closedir(folder);
    rmdir(dir);
}

void fixture_submit(struct fixture *fixture, struct store_batch *batch)
{
    assert_int_equal(store_submit(fixture->store, batch), 0);
}

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool passed, ok;
};

static void pass_gate(void *ctx, bool ok)
{
    struct gate *gate = ctx;
    pthread_mutex_lock(&gate->mutex);
    gate->passed = true;
    gate->ok = ok;
    pthread_cond_signal(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void fixture_flush(struct fixture *fixture)
{
    struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct store_batch *batch = store_batch_new();
    store_on_commit(batch, pass_gate, &gate);
    fixture_submit(fixture, batch);
    pthread_mutex_lock(&gate.mutex);
    while (!gate.passed)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
    assert_true(gate.ok);
}

void fixture_await(bool (*condition)(void *ctx), void *ctx)
{
    for (int i = 0; i < 2000; i++) {
        if (condition(ctx))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("waited 20 s in vain");
}

struct store_run fixture_run(int64_t id, const char *key)
{
    return (struct store_run){.id = id,
        .key = key,
        .name = "a run",
        .state = RUN_RUNNING,
        .tags = "{\"k\":1}",
        .attempt = 1,
        .started_at = 1000.5,
        .last_seen_at = 2000.25,
        .last_step = 7,
        .dropped = 3,
        .undefined = 4};
}

struct store_layer fixture_layer(int64_t id, int64_t run, const char *name)
{
    return (struct store_layer){.id = id,
        .run = run,
        .name = name,
        .kind = "layer",
        .role = "gate",
        .block = "mlp.0",
        .dtype = "bf16",
        .rows = 512,
        .cols = 128,
        .transposed = true};
}

void fixture_alert_layers(struct alert_record *alert, const char *const *layers, bool has_evidence)
{
    alert->layer_count = alert->evidence_count = 0;
    for (; *layers; layers++) {
        assert_true(alert_record_add_layer(alert, *layers));
        if (has_evidence)
            alert->evidence[alert->evidence_count++] =
                (struct alert_record_evidence){.layer = (uint8_t)(alert->layer_count - 1),
                    .metric = "m",
                    .value = 2.5,
                    .threshold = 2,
                    .baseline = NAN,
                    .window = NAN,
                    .step = 40};
    }
}

struct alert_record fixture_alert(int64_t id, int64_t run)
{
    struct alert_record alert = {.id = id,
        .run = run,
        .run_key = "alpha",
        .attempt = 1,
        .rule = "growth",
        .severity = SEVERITY_WARNING,
        .state = ALERT_FIRING,
        .title = "it grows",
        .summary = "by a lot",
        .started_step = 40,
        .last_step = 44,
        .started_at = 1234.5};
    fixture_alert_layers(&alert, (const char *const[]){"up", NULL}, true);
    return alert;
}

struct figure fixture_figure(
    int64_t run, int64_t layer, const char *metric, int64_t step, double value)
{
    struct figure figure = {.run = run,
        .layer = layer,
        .step = step,
        .time = 1000.0 + (double)step,
        .value = value,
        .attempt = 1};
    snprintf(figure.metric, sizeof figure.metric, "%s", metric);
    return figure;
}

int64_t fixture_query(const struct fixture *fixture, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/foreshock.db", fixture->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}
