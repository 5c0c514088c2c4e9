/* Random schedules of conditions that come and go, refusals of the store, kills and restarts, with a real store. After each
 * schedule every alert that was not lost in a kill is in the database once, waits once for each event in the outbox, and was
 * sent to the trainings; nothing was sent before its commit unless it was marked; no number was given twice.
 *
 *     test_journal [SCHEDULES [SEED]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/evaluator/stage.h"

enum { SCHEDULES = 240, STEPS = 30, PROCESSES = 24, PATIENCE_MS = 3, ALERTS_MAX = 512 };

/* What a training may know of an alert. */
struct heard {
    int64_t id;
    bool firing, resolved; /* it was sent so */
    bool lost;             /* by a kill, before its commit: its number must not come again */
};

struct schedule {
    struct stage *stage;
    uint64_t random;
    bool on[RUNS];        /* the condition holds */
    int64_t opened[RUNS]; /* alerts that must be in the database in the end */
    struct heard heard[ALERTS_MAX];
    size_t heard_count;
    size_t kills, unrecorded;
};

static uint64_t draw(struct schedule *schedule, uint64_t below)
{
    schedule->random ^= schedule->random << 13;
    schedule->random ^= schedule->random >> 7;
    schedule->random ^= schedule->random << 17;
    return schedule->random % below;
}

/* How many rows of alerts there are, "id =" or "run_id =" a number, and so on. */
static int64_t rows(
    const struct schedule *schedule, const char *where, int64_t number, const char *more)
{
    char sql[256];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM alert WHERE %s %lld %s", where,
        (long long)number, more);
    return fixture_query(schedule->stage->fixture, sql);
}

#define FIRING   "AND state = 'firing'"
#define RESOLVED "AND state = 'resolved'"

static struct heard *find_heard(struct schedule *schedule, int64_t id)
{
    for (size_t i = 0; i < schedule->heard_count; i++)
        if (schedule->heard[i].id == id)
            return &schedule->heard[i];
    assert_true(schedule->heard_count < ALERTS_MAX);
    schedule->heard[schedule->heard_count] = (struct heard){.id = id};
    return &schedule->heard[schedule->heard_count++];
}

static void on_push(struct stage *stage, const struct stage_push *push)
{
    struct schedule *schedule = stage->ctx;
    struct heard *heard = find_heard(schedule, push->id);

    assert_false(heard->lost);
    assert_false(push->firing && heard->resolved);
    assert_true(push->firing || heard->firing);
    heard->firing |= push->firing;
    heard->resolved |= !push->firing;
    schedule->unrecorded += !push->recorded;
    if (push->recorded)
        assert_int_equal(rows(schedule, "id =", push->id, push->firing ? "" : RESOLVED), 1);
}

static void set_condition(struct schedule *schedule, int64_t run, bool on)
{
    schedule->opened[run] += on && !schedule->on[run];
    schedule->on[run] = on;
    stage_lost(schedule->stage, run, on);
}

/* What the daemon finds when it is back: conditions hold as before, whatever the database says of their alerts. */
static void find_conditions(struct schedule *schedule)
{
    for (int64_t run = FIRST; run < RUNS; run++) {
        bool fires = rows(schedule, "run_id =", run, FIRING) > 0;

        schedule->opened[run] = rows(schedule, "run_id =", run, "") + (schedule->on[run] && !fires);
        stage_lost(schedule->stage, run, schedule->on[run]);
    }
    stage_come_back(schedule->stage);
}

/* An end that went out unrecorded is forgotten: if the condition came back meanwhile, the alert fires on. Of an alert that was
 * committed and resolved just before the kill the trainings never hear; the notifiers do. */
static void forgive_the_kill(struct schedule *schedule)
{
    const struct fixture *fixture = schedule->stage->fixture;
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *row;

    for (size_t i = 0; i < schedule->heard_count; i++) {
        struct heard *heard = &schedule->heard[i];

        heard->lost = rows(schedule, "id =", heard->id, "") == 0;
        heard->resolved = rows(schedule, "id =", heard->id, RESOLVED) > 0;
    }
    snprintf(path, sizeof path, "%s/foreshock.db", fixture->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id FROM alert WHERE state = 'resolved'", -1, &row, NULL),
        SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        struct heard *heard = find_heard(schedule, sqlite3_column_int64(row, 0));

        heard->firing = heard->resolved = true;
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

static void kill_it(struct schedule *schedule)
{
    struct stage *stage = schedule->stage;

    if (!stage->blocker)
        stage_block(stage);
    stage_kill(stage);
    schedule->kills++;
    forgive_the_kill(schedule);
    find_conditions(schedule);
}

static void restart_it(struct schedule *schedule)
{
    if (schedule->stage->blocker)
        stage_unblock(schedule->stage);
    stage_turn(schedule->stage);
    stage_restart(schedule->stage);
    find_conditions(schedule);
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void take_a_step(struct schedule *schedule)
{
    struct stage *stage = schedule->stage;

    switch (draw(schedule, 24)) {
    case 0: kill_it(schedule); break;
    case 1: restart_it(schedule); break;
    case 2:
    case 3:
    case 4:
        if (!stage->blocker)
            stage_block(stage);
        break;
    case 5:
        if (stage->blocker && draw(schedule, 4) == 0)
            stage_fill(stage);
        break;
    case 6:
    case 7:
    case 8:
        if (stage->blocker)
            stage_unblock(stage);
        break;
    case 9:
    case 10:
    case 11: wait_ms((long)draw(schedule, 2 * PATIENCE_MS)); break;
    case 12: stage_come_back(stage); break;
    case 13:
    case 14:
    case 15: stage_turn(stage); break;
    default: {
        int64_t run = FIRST + (int64_t)draw(schedule, RUNS - FIRST);

        set_condition(schedule, run, !schedule->on[run]);
    }
    }
}

static void check(struct schedule *schedule)
{
    for (int64_t run = FIRST; run < RUNS; run++) {
        assert_int_equal(rows(schedule, "run_id =", run, ""), schedule->opened[run]);
        assert_int_equal(rows(schedule, "run_id =", run, FIRING), schedule->on[run]);
    }
    assert_int_equal(
        fixture_query(schedule->stage->fixture,
            "SELECT count(*) FROM alert a WHERE (SELECT count(*) FROM outbox WHERE alert_id = a.id"
            " AND event = 'firing') != 1 OR (SELECT count(*) FROM outbox WHERE alert_id = a.id AND"
            " event = 'resolved') != (a.state = 'resolved')"),
        0);
    size_t in_database = 0;
    for (size_t i = 0; i < schedule->heard_count; i++) {
        const struct heard *heard = &schedule->heard[i];

        assert_int_equal(rows(schedule, "id =", heard->id, ""), !heard->lost);
        if (heard->lost)
            continue;
        in_database++;
        assert_true(heard->firing);
        assert_int_equal(heard->resolved, rows(schedule, "id =", heard->id, RESOLVED));
    }
    assert_int_equal(in_database, rows(schedule, "id >", 0, ""));
}

static void run_schedule(uint64_t seed, size_t *kills, size_t *unrecorded)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);

    assert_non_null(schedule);
    schedule->random = seed * 0x9e3779b97f4a7c15u + 1;
    schedule->stage = stage_new(PATIENCE_MS);
    schedule->stage->on_push = on_push;
    schedule->stage->ctx = schedule;
    for (int step = 0; step < STEPS; step++)
        take_a_step(schedule);
    if (schedule->stage->blocker)
        stage_unblock(schedule->stage);
    stage_flush(schedule->stage);
    check(schedule);
    *kills += schedule->kills;
    *unrecorded += schedule->unrecorded;
    stage_free(schedule->stage);
    free(schedule);
}

static uint64_t first_seed;
static int schedule_count = SCHEDULES;

/* The schedules of one process: most of their time is spent waiting. */
static void run_share(int share)
{
    size_t kills = 0, unrecorded = 0;

    for (int i = share; i < schedule_count; i += PROCESSES) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)first_seed + (unsigned)i);
        run_schedule(first_seed + (unsigned)i, &kills, &unrecorded);
    }
    assert_true(schedule_count < SCHEDULES || (kills > 0 && unrecorded > 0));
}

/* Each in a process of its own, its words in a file that is shown if it fails. */
static pid_t start_share(int share, FILE *words)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    dup2(fileno(words), STDOUT_FILENO);
    dup2(fileno(words), STDERR_FILENO);
    run_share(share);
    fflush(NULL);
    _exit(0);
}

static void show_end(FILE *words)
{
    char text[8192];

    fseek(words, 0, SEEK_END);
    long size = ftell(words), from = size > (long)sizeof text ? size - (long)sizeof text : 0;
    fseek(words, from, SEEK_SET);
    fwrite(text, 1, fread(text, 1, sizeof text, words), stderr);
}

static void no_alert_is_lost_or_sent_too_early(void **state)
{
    pid_t pids[PROCESSES];
    FILE *words[PROCESSES];
    int failed = 0;

    fprintf(stderr, "seeds from %llu\n", (unsigned long long)first_seed);
    for (int share = 0; share < PROCESSES; share++) {
        words[share] = tmpfile();
        assert_non_null(words[share]);
        pids[share] = start_share(share, words[share]);
    }
    for (int share = 0; share < PROCESSES; share++) {
        int status;

        assert_int_equal(waitpid(pids[share], &status, 0), pids[share]);
        if (status != 0)
            show_end(words[share]);
        failed += status != 0;
        fclose(words[share]);
    }
    assert_int_equal(failed, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_alert_is_lost_or_sent_too_early),
    };

    schedule_count = argc > 1 ? atoi(argv[1]) : SCHEDULES;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
