/* The three outcomes of a delivery. */
#include "daemon/store/deliveries.h"

#include <string.h>

#include "daemon/store/sql.h"

enum { PUT_NOTICE, DROP_NOTICE, DROP_ROW, PUT_OFF, STATEMENT_COUNT };
_Static_assert(STATEMENT_COUNT <= DELIVERIES_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [PUT_NOTICE] = "INSERT INTO notice (notifier_id, alert_id, alert) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT DO UPDATE SET alert = ?3",
    [DROP_NOTICE] = "DELETE FROM notice WHERE notifier_id = ?1 AND alert_id = ?2",
    [DROP_ROW] = "DELETE FROM outbox WHERE notifier_id = ?1 AND id = ?2",
    [PUT_OFF] = "UPDATE outbox SET tries = tries + 1, next_at = ?4 WHERE notifier_id = ?1 AND"
                " alert_id = ?2 AND (event = 'resolved') = (?3 = 'resolved')",
};

int deliveries_open(
    struct deliveries *deliveries, sqlite3 *db, struct outbox *outbox, struct error *error)
{
    *deliveries = (struct deliveries){.outbox = outbox};
    return sql_prepare_all(db, texts, deliveries->statements, STATEMENT_COUNT, error);
}

void deliveries_close(struct deliveries *deliveries)
{
    sql_finalize_all(deliveries->statements, STATEMENT_COUNT);
}

static int drop_row(
    struct deliveries *deliveries, const struct notifier_entry *notifier, int64_t row)
{
    return sql_run(sql_bind_ids(deliveries->statements[DROP_ROW], notifier->id, row));
}

static int count_outcome(struct deliveries *deliveries, const struct notifier_entry *notifier,
    struct notifier_counts counts)
{
    return notifier_table_count(&deliveries->outbox->notifiers, notifier, counts);
}

/* The receiver has it. While it was on its way the alert may have ended without a word, silenced. */
static int note_delivered(struct deliveries *deliveries, const struct notifier_entry *notifier,
    const struct store_delivery *delivery)
{
    bool closes = strcmp(delivery->event, "resolved") == 0;
    sqlite3_stmt *notice = sql_bind_ids(deliveries->statements[closes ? DROP_NOTICE : PUT_NOTICE],
        notifier->id, delivery->alert_id);
    if (!closes)
        sql_bind_text(notice, 3, delivery->alert);
    int rc = sql_run(notice);
    if (rc == SQLITE_OK)
        rc = drop_row(deliveries, notifier, delivery->row);
    if (rc == SQLITE_OK)
        rc = count_outcome(deliveries, notifier, (struct notifier_counts){.delivered = 1});
    return rc == SQLITE_OK ? outbox_resolve_if_ended(
                                 deliveries->outbox, notifier, delivery->alert_id, delivery->now)
                           : rc;
}

static int retry_later(struct deliveries *deliveries, const struct notifier_entry *notifier,
    const struct store_delivery *delivery)
{
    sqlite3_stmt *statement =
        sql_bind_ids(deliveries->statements[PUT_OFF], notifier->id, delivery->alert_id);
    sql_bind_text(statement, 3, delivery->event);
    sqlite3_bind_double(statement, 4, delivery->next_at);
    int rc = sql_run(statement);
    if (rc == SQLITE_OK)
        rc = count_outcome(deliveries, notifier, (struct notifier_counts){.retries = 1});
    return rc == SQLITE_OK ? outbox_drop_aged(deliveries->outbox, notifier, delivery->now) : rc;
}

static int drop_failed(struct deliveries *deliveries, const struct notifier_entry *notifier,
    const struct store_delivery *delivery)
{
    int rc = drop_row(deliveries, notifier, delivery->row);
    if (rc == SQLITE_OK && strcmp(delivery->event, "resolved") == 0)
        rc = sql_run(
            sql_bind_ids(deliveries->statements[DROP_NOTICE], notifier->id, delivery->alert_id));
    return rc == SQLITE_OK
               ? count_outcome(deliveries, notifier, (struct notifier_counts){.failed = 1})
               : rc;
}

int deliveries_record(struct deliveries *deliveries, const struct store_delivery *delivery)
{
    const struct notifier_entry *notifier =
        notifier_table_find(&deliveries->outbox->notifiers, delivery->notifier);
    if (!notifier)
        return SQLITE_OK;
    switch (delivery->outcome) {
    case STORE_DELIVERED: return note_delivered(deliveries, notifier, delivery);
    case STORE_TRY_AGAIN: return retry_later(deliveries, notifier, delivery);
    case STORE_GIVEN_UP: return drop_failed(deliveries, notifier, delivery);
    }
    return SQLITE_OK;
}
