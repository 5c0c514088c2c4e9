/* A list of changes without an answer and a table of alerts; see journal.h. */
#include "daemon/evaluator/journal.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "daemon/core/limits.h"
#include "daemon/core/log.h"
#include "daemon/evaluator/training_message.h"

/* A change that the store has not answered for. */
#define REFUSALS_MAX 100 /* each a tick apart at least */

struct journal_entry {
    struct alert_record record;
    uint64_t since_ms; /* 0: not looked at yet */
    bool submitted;    /* the store's queue has it */
    bool notified;     /* it went out as not recorded */
    struct journal_entry *prev, *next;
    unsigned refusals; /* times that the store left its row out */
};

/* An alert that fires, or whose end was not answered for. */
struct journal_alert {
    int64_t id, run;
    /* `record` holds what people may know of it: what was last committed, or went out. */
    bool known;
    bool recorded, silenced;
    bool notified; /* the trainings were sent that it fires */
    struct alert_record record;
    UT_hash_handle hh;
};

struct journal {
    struct journal_options options;
    struct journal_entry
        *entries; /* in the order in which they came, which they are submitted in */
    size_t entry_count;
    bool was_refused; /* the last batch: what waits is not copied into each that may be, too */
    struct journal_alert *alerts;
    uint64_t last_revision;
};

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (!journal)
        return NULL;
    journal->options = *options;
    if (journal->options.patience_ms == 0)
        journal->options.patience_ms = LIMIT_UNRECORDED_MS;
    return journal;
}

static struct journal_alert *find_alert(const struct journal *journal, int64_t id)
{
    struct journal_alert *alert;

    HASH_FIND(hh, journal->alerts, &id, sizeof id, alert);
    return alert;
}

/* NULL: memory is short. */
static struct journal_alert *add_alert(struct journal *journal, const struct alert_record *record)
{
    struct journal_alert *alert = calloc(1, sizeof *alert);

    if (!alert)
        return NULL;
    alert->id = record->id;
    alert->run = record->run;
    HASH_ADD(hh, journal->alerts, id, sizeof alert->id, alert);
    return alert;
}

static void remove_alert(struct journal *journal, struct journal_alert *alert)
{
    HASH_DEL(journal->alerts, alert);
    free(alert);
}

static void remove_entry(struct journal *journal, struct journal_entry *entry)
{
    DL_DELETE(journal->entries, entry);
    journal->entry_count--;
    if (entry->notified)
        stats_sub(&journal->options.stats->alerts_unrecorded, 1);
    free(entry);
}

/* The change of an alert that fires which still waits: the newer one takes its place. */
static struct journal_entry *find_waiting(
    const struct journal *journal, const struct alert_record *record)
{
    struct journal_entry *entry;

    DL_FOREACH (journal->entries, entry)
        if (!entry->submitted && entry->record.id == record->id)
            return entry->record.state == ALERT_FIRING && record->state == ALERT_FIRING ? entry
                                                                                        : NULL;
    return NULL;
}

static bool append_entry(struct journal *journal, const struct alert_record *record)
{
    struct journal_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return false;
    entry->record = *record;
    entry->record.revision = ++journal->last_revision;
    DL_APPEND(journal->entries, entry);
    journal->entry_count++;
    return true;
}

static void replace_record(
    struct journal *journal, struct journal_entry *entry, const struct alert_record *record)
{
    uint64_t revision = entry->record.revision;

    entry->record = *record;
    entry->record.revision = revision;
    if (entry->notified)
        stats_sub(&journal->options.stats->alerts_unrecorded, 1);
    entry->notified = false;
}

bool journal_has_room(const struct journal *journal)
{
    return journal->entry_count < LIMIT_JOURNAL;
}

bool journal_put(struct journal *journal, const struct alert_record *record)
{
    struct journal_entry *waiting = find_waiting(journal, record);
    struct journal_alert *alert = find_alert(journal, record->id), *added = NULL;

    if (waiting) {
        replace_record(journal, waiting, record);
        return true;
    }
    if (!alert && !(added = add_alert(journal, record)))
        return false;
    if (append_entry(journal, record))
        return true;
    if (added)
        remove_alert(journal, added);
    return false;
}

static void put_waiting(const struct journal *journal, struct store_batch *batch)
{
    const struct journal_entry *entry;

    DL_FOREACH (journal->entries, entry)
        if (!entry->submitted)
            store_put_alert(batch, &entry->record);
}

static void mark_submitted(struct journal *journal)
{
    struct journal_entry *entry;

    DL_FOREACH (journal->entries, entry)
        entry->submitted = true;
}

bool journal_submit(struct journal *journal, struct store *store, struct store_batch *batch)
{
    static struct log_limit limit = LOG_LIMIT(1);
    bool is_with_alerts = !journal->was_refused || store_has_room(store);

    if (is_with_alerts)
        put_waiting(journal, batch);
    if (store_batch_is_empty(batch)) {
        store_batch_free(batch);
        return true;
    }
    journal->was_refused = store_submit(store, batch) != 0;
    if (!journal->was_refused) {
        if (is_with_alerts)
            mark_submitted(journal);
        return true;
    }
    log_limited(&limit, LOG_LEVEL_ERROR,
        "the store is behind and its queue is full: figures are lost, alerts wait");
    return false;
}

static void push_to_trainings(const struct journal *journal, const struct journal_alert *alert)
{
    struct training_message message;

    training_message_make(&message, &alert->record, alert->recorded);
    journal->options.push(journal->options.ctx, alert->record.run_key, &message.wire);
}

static bool is_for_trainings(const struct journal_alert *alert)
{
    return alert->known && alert->record.state == ALERT_FIRING && !alert->record.observed &&
           !alert->silenced;
}

/* What became known of an alert, to the trainings. */
static void notify_trainings(const struct journal *journal, struct journal_alert *alert)
{
    if (is_for_trainings(alert))
        alert->notified = true;
    else if (alert->record.state == ALERT_FIRING || !alert->notified)
        return;
    push_to_trainings(journal, alert);
}

static void log_unrecorded(const struct alert_record *record)
{
    log_write(record->observed ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
        LOG_FIELDS("an alert is not recorded yet: the store does not write",
            LOG_STR("run", record->run_key), LOG_INT("alert", record->id),
            LOG_STR("rule", record->rule), LOG_STR("state", alert_state_names[record->state]),
            LOG_STR("summary", record->summary)));
}

static void notify_unrecorded(struct journal *journal, struct journal_entry *entry)
{
    struct journal_alert *alert = find_alert(journal, entry->record.id);

    entry->notified = true;
    stats_add(&journal->options.stats->alerts_unrecorded, 1);
    log_unrecorded(&entry->record);
    alert->record = entry->record;
    alert->known = true;
    alert->recorded = false;
    notify_trainings(journal, alert);
    if (journal->options.unrecorded)
        journal->options.unrecorded(journal->options.ctx, &alert->record, alert->silenced);
}

static void notify_late(struct journal *journal, struct store *store, uint64_t now_ms)
{
    bool is_stalled = store_stalled_ms(store) >= journal->options.patience_ms;
    struct journal_entry *entry;

    DL_FOREACH (journal->entries, entry) {
        if (entry->since_ms == 0)
            entry->since_ms = now_ms;
        if (!entry->notified &&
            (is_stalled || now_ms - entry->since_ms >= journal->options.patience_ms))
            notify_unrecorded(journal, entry);
    }
}

void journal_tick(struct journal *journal, struct store *store, uint64_t now_ms)
{
    const struct journal_entry *last = journal->entries ? journal->entries->prev : NULL;

    if (last && !last->submitted)
        journal_submit(journal, store, store_batch_new());
    notify_late(journal, store, now_ms);
}

struct answer {
    struct journal *journal;
    int64_t id;
    uint64_t revision;
    bool recorded, silenced;
};

static bool has_newer_notified(const struct journal_entry *entry)
{
    for (const struct journal_entry *newer = entry->next; newer; newer = newer->next)
        if (newer->notified && newer->record.id == entry->record.id)
            return true;
    return false;
}

static bool has_newer(const struct journal_entry *entry)
{
    for (const struct journal_entry *newer = entry->next; newer; newer = newer->next)
        if (newer->record.id == entry->record.id)
            return true;
    return false;
}

/* The store left its row out: that of its run was not there yet, as it waits for room, too. It waits again, unless a newer
 * change of its alert is on its way. */
static bool retry_entry(struct journal *journal, struct journal_entry *entry)
{
    if (entry->refusals >= REFUSALS_MAX || has_newer(entry))
        return false;
    DL_DELETE(journal->entries, entry);
    entry->refusals++;
    entry->submitted = false;
    entry->record.revision = ++journal->last_revision;
    DL_APPEND(journal->entries, entry);
    return true;
}

static void settle_entry(struct journal *journal, struct journal_entry *entry, bool recorded)
{
    struct journal_alert *alert = find_alert(journal, entry->record.id);
    bool is_end = entry->record.state == ALERT_RESOLVED;

    if (!has_newer_notified(entry)) {
        alert->record = entry->record;
        alert->known = true;
        alert->recorded = recorded;
        notify_trainings(journal, alert);
    }
    remove_entry(journal, entry);
    if (is_end)
        remove_alert(journal, alert);
}

/* The store commits in order: an earlier change whose own answer was lost for want of memory is committed too. */
static void settle_up_to(struct journal *journal, const struct answer *answer)
{
    struct journal_entry *entry;

    while ((entry = journal->entries) && entry->submitted &&
           entry->record.revision <= answer->revision) {
        bool is_own = entry->record.revision == answer->revision;
        struct journal_alert *alert = find_alert(journal, entry->record.id);

        if (is_own)
            alert->silenced = answer->silenced;
        if (is_own && !answer->recorded && retry_entry(journal, entry))
            continue;
        settle_entry(journal, entry, is_own ? answer->recorded : true);
    }
}

/* A silence has let the alert out or taken it in. */
static void review(struct journal *journal, const struct answer *answer)
{
    struct journal_alert *alert = find_alert(journal, answer->id);

    if (!alert)
        return;
    alert->silenced = answer->silenced;
    if (is_for_trainings(alert))
        notify_trainings(journal, alert);
}

static void on_answer(void *arg)
{
    struct answer *answer = arg;

    if (answer->revision > 0)
        settle_up_to(answer->journal, answer);
    else
        review(answer->journal, answer);
    free(answer);
}

void journal_answer(struct journal *journal, const struct store_alert *row)
{
    struct answer *answer = malloc(sizeof *answer);

    if (answer)
        *answer = (struct answer){journal, row->id, row->revision, row->recorded, row->silenced};
    if (answer && mailbox_post(journal->options.mailbox, on_answer, answer) == 0)
        return;
    free(answer);
    log_error("an alert reaches the trainings late: memory is short", LOG_INT("alert", row->id));
}

bool journal_restore(
    struct journal *journal, const struct alert_record *record, bool silenced, bool notified)
{
    struct journal_alert *alert = add_alert(journal, record);

    if (!alert)
        return false;
    alert->record = *record;
    alert->known = true;
    alert->recorded = true;
    alert->silenced = silenced;
    alert->notified = notified;
    return true;
}

void journal_firing(const struct journal *journal, int64_t run,
    void (*each)(void *each_ctx, const struct wire_alert *), void *each_ctx)
{
    for (const struct journal_alert *alert = journal->alerts; alert; alert = alert->hh.next) {
        struct training_message message;

        if (alert->run != run || !is_for_trainings(alert))
            continue;
        training_message_make(&message, &alert->record, alert->recorded);
        each(each_ctx, &message.wire);
    }
}

void journal_forget(struct journal *journal, int64_t run)
{
    struct journal_entry *entry, *next_entry;
    struct journal_alert *alert, *next_alert;

    DL_FOREACH_SAFE (journal->entries, entry, next_entry)
        if (entry->record.run == run)
            remove_entry(journal, entry);
    HASH_ITER (hh, journal->alerts, alert, next_alert)
        if (alert->run == run)
            remove_alert(journal, alert);
}

void journal_free(struct journal *journal)
{
    struct journal_alert *alert, *next;

    if (!journal)
        return;
    while (journal->entries)
        remove_entry(journal, journal->entries);
    HASH_ITER (hh, journal->alerts, alert, next)
        remove_alert(journal, alert);
    free(journal);
}
