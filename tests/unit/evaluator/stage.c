#include "tests/unit/evaluator/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const keys[RUNS] = {"", "first", "second", "third"};

static void note_push(void *ctx, int64_t run, const struct wire_alert *alert, bool returning)
{
    struct stage *stage = ctx;
    struct stage_push *push = &stage->pushes[stage->push_count];

    assert_true(stage->push_count < STAGE_PUSHES_MAX);
    stage->push_count++;
    *push = (struct stage_push){(int64_t)alert->id, run, wire_str_equal(alert->state, "firing"),
        alert->recorded, returning};
    if (stage->on_push)
        stage->on_push(stage, push);
}

static int64_t run_of(const char *key)
{
    for (int64_t run = FIRST; run < RUNS; run++)
        if (strcmp(keys[run], key) == 0)
            return run;
    fail_msg("no run has the key %s", key);
    return 0;
}

static void on_push(void *ctx, const char *run_key, const struct wire_alert *alert)
{
    note_push(ctx, run_of(run_key), alert, false);
}

static void on_unrecorded(void *ctx, const struct alert_record *record, bool silenced)
{
    struct stage *stage = ctx;

    stage->unrecorded_count++;
}

static void sink_alert(void *ctx, const char *run_key, const struct store_alert *row)
{
    struct stage *stage = ctx;

    if (!atomic_load(&stage->dead))
        journal_answer(stage->journal, row);
}

/* Nobody takes anything out of its outbox. */
static void put_rows(struct store_batch *batch)
{
    const struct store_notifier notifier = {.name = "all", .kind = "webhook", .rules = ""};

    for (int64_t id = FIRST; id < RUNS; id++) {
        struct store_run run = fixture_run(id, keys[id]);

        store_put_run(batch, &run);
    }
    store_put_notifiers(batch, &notifier, 1, 5000);
}

/* After the mailbox, before the store. */
static void make_journal(struct stage *stage)
{
    stage->mailbox = mailbox_new(&stage->loop);
    stage->journal = journal_new(&(struct journal_options){
        .mailbox = stage->mailbox,
        .stats = &stage->fixture->stats,
        .patience_ms = stage->patience_ms,
        .push = on_push,
        .unrecorded = on_unrecorded,
        .ctx = stage,
    });
    assert_non_null(stage->mailbox);
    assert_non_null(stage->journal);
}

static void start_evaluator(struct stage *stage)
{
    struct store_batch *batch = store_batch_new();
    struct rule_settings settings;
    struct error error = {0};

    put_rows(batch);
    fixture_submit(stage->fixture, batch);
    fixture_flush(stage->fixture);
    rule_settings_init(&settings);
    stage->evaluator = evaluator_new(stage->fixture->store, &settings, stage->journal);
    assert_non_null(stage->evaluator);
    for (int64_t run = FIRST; run < RUNS; run++)
        evaluator_attempt(stage->evaluator, run, keys[run], 1);
    if (evaluator_restore(stage->evaluator, &error) != 0)
        fail_msg("evaluator_restore: %s", error.text);
}

struct stage *stage_new(uint64_t patience_ms)
{
    struct stage *stage = calloc(1, sizeof *stage);
    void *fixture;

    assert_non_null(stage);
    assert_int_equal(fixture_setup(&fixture), 0);
    stage->fixture = fixture;
    stage->patience_ms = patience_ms;
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    store_close(&stage->fixture->store);
    stage->fixture->options.sink = (struct store_sink){.alert = sink_alert, .ctx = stage};
    make_journal(stage);
    fixture_open(stage->fixture);
    start_evaluator(stage);
    return stage;
}

/* After the store. */
static void stop_journal(struct stage *stage)
{
    mailbox_close(stage->mailbox);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    evaluator_free(stage->evaluator);
    journal_free(stage->journal);
}

void stage_free(struct stage *stage)
{
    void *fixture = stage->fixture;

    if (stage->blocker)
        stage_unblock(stage);
    store_close(&stage->fixture->store);
    stop_journal(stage);
    uv_loop_close(&stage->loop);
    fixture_teardown(&fixture);
    free(stage);
}

void stage_restart(struct stage *stage)
{
    evaluator_tick(stage->evaluator);
    store_close(&stage->fixture->store);
    stop_journal(stage);
    make_journal(stage);
    fixture_open(stage->fixture);
    start_evaluator(stage);
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[160], to[160], bytes[65536];
    ssize_t got;

    snprintf(from, sizeof from, "%s/%s", from_dir, name);
    snprintf(to, sizeof to, "%s/%s", to_dir, name);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)got), got);
    close(in);
    close(out);
}

void stage_kill(struct stage *stage)
{
    char old[64], next[64] = "/tmp/foreshock-store-XXXXXX";

    memcpy(old, stage->fixture->dir, sizeof old);
    assert_non_null(mkdtemp(next));
    copy_file(old, next, "foreshock.db");
    copy_file(old, next, "foreshock.db-wal");
    atomic_store(&stage->dead, true);
    stage_unblock(stage);
    store_close(&stage->fixture->store);
    stage->push_count = 0;
    void (*on_push_of_test)(struct stage *, const struct stage_push *) = stage->on_push;
    stage->on_push = NULL; /* what was on its way to the loop never arrives */
    stop_journal(stage);
    stage->push_count = 0;
    stage->on_push = on_push_of_test;
    fixture_remove(old);
    memcpy(stage->fixture->dir, next, sizeof next);
    make_journal(stage);
    fixture_open(stage->fixture);
    atomic_store(&stage->dead, false);
    start_evaluator(stage);
}

void stage_lost(struct stage *stage, int64_t run, bool on)
{
    evaluator_lost(stage->evaluator, run, on, 40, "It went silent.");
}

void stage_block(struct stage *stage)
{
    char path[128];

    snprintf(path, sizeof path, "%s/foreshock.db", stage->fixture->dir);
    assert_int_equal(sqlite3_open(path, &stage->blocker), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(stage->blocker, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(stage->blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static bool is_full(void *ctx)
{
    struct stage *stage = ctx;

    while (store_submit(stage->fixture->store, store_batch_new()) == 0)
        ;
    return stats_get(&stage->fixture->stats.store_queue) == STORE_QUEUE_MAX;
}

void stage_fill(struct stage *stage)
{
    fixture_await(is_full, stage);
}

static bool is_empty(void *ctx)
{
    struct stage *stage = ctx;

    return stats_get(&stage->fixture->stats.store_queue) == 0;
}

void stage_unblock(struct stage *stage)
{
    assert_int_equal(sqlite3_exec(stage->blocker, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(stage->blocker);
    stage->blocker = NULL;
    fixture_await(is_empty, stage);
}

void stage_turn(struct stage *stage)
{
    evaluator_tick(stage->evaluator);
    mailbox_drain(stage->mailbox);
}

/* Twice: what has no room before the first fence is submitted behind it. */
void stage_flush(struct stage *stage)
{
    for (int times = 0; times < 2; times++) {
        stage_turn(stage);
        fixture_flush(stage->fixture);
        mailbox_drain(stage->mailbox);
    }
}

struct returning {
    struct stage *stage;
    int64_t run;
};

static void note_returning(void *ctx, const struct wire_alert *alert)
{
    const struct returning *returning = ctx;

    note_push(returning->stage, returning->run, alert, true);
}

void stage_come_back(struct stage *stage)
{
    for (int64_t run = FIRST; run < RUNS; run++)
        evaluator_firing(stage->evaluator, run, note_returning, &(struct returning){stage, run});
}

size_t stage_pushed(const struct stage *stage, int64_t run, bool firing, bool recorded)
{
    size_t count = 0;

    for (size_t i = 0; i < stage->push_count; i++)
        count += stage->pushes[i].run == run && stage->pushes[i].firing == firing &&
                 stage->pushes[i].recorded == recorded;
    return count;
}
