/* Figures through detectors into the store; see evaluator.h. */
#include "daemon/evaluator/evaluator.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"
#include "daemon/evaluator/run_watch.h"

struct evaluator {
    struct store *store;
    struct rule_settings settings;
    struct journal *journal;
    struct run_watch *runs;
};

struct evaluator *evaluator_new(
    struct store *store, const struct rule_settings *settings, struct journal *journal)
{
    struct evaluator *evaluator = calloc(1, sizeof *evaluator);

    if (!evaluator)
        return NULL;
    evaluator->store = store;
    evaluator->settings = *settings;
    evaluator->journal = journal;
    return evaluator;
}

static struct run_watch *find_run(const struct evaluator *evaluator, int64_t run)
{
    struct run_watch *watch;

    HASH_FIND(hh, evaluator->runs, &run, sizeof run, watch);
    return watch;
}

static void log_alert(const struct alert_record *record, enum alert_change change)
{
    static const char *const texts[] = {
        [ALERT_CHANGE_OPENED] = "alert fires",
        [ALERT_CHANGE_UPDATED] = "alert changed",
        [ALERT_CHANGE_RESOLVED] = "alert resolved",
    };
    enum log_level level = change == ALERT_CHANGE_RESOLVED || record->observed ? LOG_LEVEL_INFO
                           : record->severity == SEVERITY_CRITICAL             ? LOG_LEVEL_ERROR
                                                                               : LOG_LEVEL_WARNING;

    log_write(level,
        LOG_FIELDS(texts[change], LOG_STR("run", record->run_key), LOG_STR("rule", record->rule),
            LOG_STR("severity", alert_severity_names[record->severity]),
            LOG_INT("step", record->started_step), LOG_STR("summary", record->summary)));
}

static bool put_in_journal(struct evaluator *evaluator, const struct alert_record *record)
{
    static struct log_limit limit = LOG_LIMIT(1);

    if (journal_put(evaluator->journal, record))
        return true;
    log_limited(&limit, LOG_LEVEL_ERROR, "an alert is not recorded: memory is short",
        LOG_STR("run", record->run_key), LOG_STR("rule", record->rule),
        LOG_STR("state", alert_state_names[record->state]));
    return false;
}

/* What alert_engine_report calls back with. */
struct change_sink {
    struct evaluator *evaluator;
    const struct run_watch *watch;
};

/* False, and a line in the log: too many changes wait for the store. */
static bool may_open(const struct change_sink *sink, const struct alert *alert)
{
    static struct log_limit limit = LOG_LIMIT(1);

    if (journal_has_room(sink->evaluator->journal))
        return true;
    log_limited(&limit, LOG_LEVEL_ERROR, "an alert is not recorded: too many wait for the store",
        LOG_STR("run", sink->watch->key), LOG_STR("rule", rule_table[alert->rule].name),
        LOG_STR("summary", alert->summary));
    return false;
}

/* An alert that the journal did not take has no id: its next change opens it. */
static void on_change(void *ctx, enum alert_change change, const struct alert *alert)
{
    const struct change_sink *sink = ctx;
    struct alert_record record;

    if (alert->id == 0 && (change == ALERT_CHANGE_RESOLVED || !may_open(sink, alert)))
        return;
    run_watch_record(sink->watch, alert, &record);
    if (alert->id == 0)
        record.id = store_new_alert_id(sink->evaluator->store);
    log_alert(&record, change);
    if (put_in_journal(sink->evaluator, &record) && alert->id == 0)
        alert_engine_bind(sink->watch->engine, alert->rule, record.id);
}

static void collect_changes(struct evaluator *evaluator, const struct run_watch *watch)
{
    alert_engine_report(watch->engine, on_change, &(struct change_sink){evaluator, watch});
}

static bool submit(struct evaluator *evaluator, struct store_batch *batch)
{
    return journal_submit(evaluator->journal, evaluator->store, batch);
}

static void submit_changes(struct evaluator *evaluator, const struct run_watch *watch)
{
    collect_changes(evaluator, watch);
    submit(evaluator, store_batch_new());
}

bool evaluator_publish(
    void *ctx, int64_t run, struct store_batch *batch, const struct figure *figures, size_t count)
{
    struct evaluator *evaluator = ctx;
    struct run_watch *watch = find_run(evaluator, run);

    if (!watch)
        return submit(evaluator, batch);
    for (size_t i = 0; i < count; i++) {
        const struct figure *f = &figures[i];

        /* What another rank still sends of an attempt that has ended is stored, and judged no more. */
        if (f->attempt == watch->attempt)
            alert_engine_figure(watch->engine, f->layer, f->metric, f->step, f->time, f->value);
    }
    run_watch_put_assessments(watch, batch);
    collect_changes(evaluator, watch);
    return submit(evaluator, batch);
}

static void put_end(
    struct evaluator *evaluator, const struct run_watch *watch, const struct alert *open)
{
    struct alert_record record;

    run_watch_record(watch, open, &record);
    record.state = ALERT_RESOLVED;
    record.resolved_at = clock_wall();
    strncat(record.summary, " It was still firing when the attempt ended.",
        sizeof record.summary - strlen(record.summary) - 1);
    put_in_journal(evaluator, &record);
}

/* The attempt or the run is over, and with it what was wrong in it. */
void evaluator_ended(void *ctx, int64_t run)
{
    struct evaluator *evaluator = ctx;
    struct run_watch *watch = find_run(evaluator, run);

    if (!watch)
        return;
    collect_changes(evaluator, watch);
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const struct alert *open = alert_engine_open(watch->engine, (enum alert_rule)rule);

        if (open && open->id != 0)
            put_end(evaluator, watch, open);
    }
    submit(evaluator, store_batch_new());
    HASH_DEL(evaluator->runs, watch);
    run_watch_free(watch);
}

void evaluator_forget(void *ctx, int64_t run)
{
    struct evaluator *evaluator = ctx;
    struct run_watch *watch = find_run(evaluator, run);

    if (watch)
        HASH_DEL(evaluator->runs, watch);
    run_watch_free(watch);
    journal_forget(evaluator->journal, run);
}

void evaluator_attempt(void *ctx, int64_t run, const char *key, uint32_t attempt)
{
    struct evaluator *evaluator = ctx;
    struct run_watch *watch;

    evaluator_ended(evaluator, run);
    watch = run_watch_new(run, key, attempt, &evaluator->settings);
    if (!watch) {
        log_error("no detectors for a run: memory is short", LOG_STR("run", key));
        return;
    }
    HASH_ADD(hh, evaluator->runs, run, sizeof watch->run, watch);
}

void evaluator_begins(void *ctx, int64_t run, int64_t step)
{
    struct run_watch *watch = find_run(ctx, run);

    if (watch)
        alert_engine_begins(watch->engine, step);
}

void evaluator_layer(
    void *ctx, int64_t run, int64_t id, const char *name, const char *role, const char *block)
{
    struct run_watch *watch = find_run(ctx, run);

    if (!watch || run_watch_add_layer(watch, id, name, role, block) != 0)
        log_error("a layer is not judged: memory is short", LOG_STR("layer", name));
}

static void set_condition(struct evaluator *evaluator, int64_t run, enum alert_rule rule,
    int64_t layer, bool on, int64_t step, const char *text)
{
    struct run_watch *watch = find_run(evaluator, run);

    if (!watch)
        return;
    alert_engine_condition(watch->engine, rule, layer, on, step < 0 ? 0 : step, clock_wall(), text);
    submit_changes(evaluator, watch);
}

void evaluator_lost(void *ctx, int64_t run, bool on, int64_t step, const char *text)
{
    set_condition(ctx, run, RULE_RUN_LOST, 0, on, step, text);
}

void evaluator_damaged(
    void *ctx, int64_t run, int64_t layer, bool on, int64_t step, const char *text)
{
    set_condition(ctx, run, RULE_BASELINE_DAMAGED, layer, on, step, text);
}

void evaluator_firing(
    void *ctx, int64_t run, void (*each)(void *, const struct wire_alert *), void *each_ctx)
{
    const struct evaluator *evaluator = ctx;

    journal_firing(evaluator->journal, run, each, each_ctx);
}

void evaluator_retune(struct evaluator *evaluator, const struct rule_settings *settings)
{
    evaluator->settings = *settings;
    for (struct run_watch *watch = evaluator->runs; watch; watch = watch->hh.next) {
        alert_engine_retune(watch->engine, settings, clock_wall());
        submit_changes(evaluator, watch);
    }
}

void evaluator_tick(struct evaluator *evaluator)
{
    journal_tick(evaluator->journal, evaluator->store, clock_ms());
}

static void replay_figure(void *ctx, const struct figure *f)
{
    struct run_watch *watch = ctx;

    alert_engine_figure(watch->engine, f->layer, f->metric, f->step, f->time, f->value);
}

/* False: no engine has the alert any more. */
static bool restore_alert(
    struct evaluator *evaluator, struct run_watch *watch, const struct store_alert *row)
{
    int rule = rule_find(row->rule);
    struct alert_record record;

    if (!watch || rule < 0)
        return false;
    if (rule == RULE_RUN_LOST || rule == RULE_BASELINE_DAMAGED)
        run_watch_restore_condition(watch, (enum alert_rule)rule, row);
    if (row->attempt != watch->attempt ||
        !alert_engine_bind(watch->engine, (enum alert_rule)rule, row->id))
        return false;
    run_watch_record(watch, alert_engine_open(watch->engine, (enum alert_rule)rule), &record);
    return journal_restore(evaluator->journal, &record, row->silenced, row->notified);
}

/* An alert that the store holds open: the engine has it too, or its figures are gone and nothing holds it up. */
static void on_open_alert(void *ctx, const struct store_alert *row)
{
    struct evaluator *evaluator = ctx;
    struct store_batch *batch;

    if (restore_alert(evaluator, find_run(evaluator, row->run), row))
        return;
    batch = store_batch_new();
    store_put_alert_end(batch, row->id, clock_wall());
    submit(evaluator, batch); /* or it is open still at the next start */
}

int evaluator_restore(struct evaluator *evaluator, struct error *error)
{
    const struct store_catalog open_alerts = {.alert = on_open_alert, .ctx = evaluator};

    for (struct run_watch *watch = evaluator->runs; watch; watch = watch->hh.next)
        if (store_replay(evaluator->store, watch->run, watch->attempt, alert_metric_names(),
                replay_figure, watch, error))
            return -1;
    if (store_catalog(evaluator->store, &open_alerts, error) != 0)
        return -1;
    for (struct run_watch *watch = evaluator->runs; watch; watch = watch->hh.next)
        alert_engine_discard(watch->engine);
    return 0;
}

void evaluator_free(struct evaluator *evaluator)
{
    struct run_watch *watch, *next;

    if (!evaluator)
        return;
    HASH_ITER (hh, evaluator->runs, watch, next) {
        HASH_DEL(evaluator->runs, watch);
        run_watch_free(watch);
    }
    free(evaluator);
}
