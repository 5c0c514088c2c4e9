/* Notifiers by name and kind. */
#include "daemon/store/notifier_table.h"

#include <stdio.h>
#include <string.h>

#include "daemon/store/sql.h"

enum {
    NOTIFIERS,
    ADD_NOTIFIER,
    FIND_NOTIFIER,
    DROP_NOTIFIER,
    ALL_DUE,
    ADD_COUNTS,
    STATEMENT_COUNT
};
_Static_assert(STATEMENT_COUNT <= NOTIFIER_TABLE_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [NOTIFIERS] = "SELECT id, name, kind FROM notifier",
    [ADD_NOTIFIER] = "INSERT INTO notifier (name, kind, key) VALUES (?1, ?2,"
                     " lower(hex(randomblob(8)))) ON CONFLICT (name) DO NOTHING",
    [FIND_NOTIFIER] = "SELECT id FROM notifier WHERE name = ?1",
    [DROP_NOTIFIER] = "DELETE FROM notifier WHERE id = ?1",
    [ALL_DUE] = "UPDATE outbox SET next_at = 0 WHERE notifier_id = ?1",
    [ADD_COUNTS] = "UPDATE notifier SET delivered = delivered + ?2, failed = failed + ?3,"
                   " dropped = dropped + ?4, retries = retries + ?5 WHERE id = ?1",
};

int notifier_table_open(struct notifier_table *table, sqlite3 *db, struct error *error)
{
    *table = (struct notifier_table){.count = 0};
    return sql_prepare_all(db, texts, table->statements, STATEMENT_COUNT, error);
}

void notifier_table_close(struct notifier_table *table)
{
    sql_finalize_all(table->statements, STATEMENT_COUNT);
}

static int run_with_id(struct notifier_table *table, int statement, int64_t notifier)
{
    sqlite3_bind_int64(table->statements[statement], 1, notifier);
    return sql_run(table->statements[statement]);
}

static const struct store_notifier *find_notifier(
    const struct store_notifier *list, size_t count, const char *name, const char *kind)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0 && strcmp(list[i].kind, kind) == 0)
            return &list[i];
    return NULL;
}

static int drop_others(
    struct notifier_table *table, const struct store_notifier *list, size_t count)
{
    sqlite3_stmt *row = table->statements[NOTIFIERS];
    int rc = sqlite3_step(row);
    while (rc == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (!find_notifier(list, count, sql_text(row, 1), sql_text(row, 2)))
            rc = run_with_id(table, DROP_NOTIFIER, sqlite3_column_int64(row, 0));
        if (rc == SQLITE_OK)
            rc = sqlite3_step(row);
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_notifier(struct notifier_table *table, const struct store_notifier *notifier)
{
    struct notifier_entry *added = &table->list[table->count];
    sqlite3_stmt *add = table->statements[ADD_NOTIFIER], *row = table->statements[FIND_NOTIFIER];
    sql_bind_text(add, 1, notifier->name);
    sql_bind_text(add, 2, notifier->kind);
    int rc = sql_run(add);
    if (rc != SQLITE_OK)
        return rc;
    *added = (struct notifier_entry){.critical_only = notifier->critical_only};
    snprintf(added->name, sizeof added->name, "%s", notifier->name);
    snprintf(added->rules, sizeof added->rules, "%s", notifier->rules);
    sql_bind_text(row, 1, notifier->name);
    rc = sqlite3_step(row);
    added->id = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    if (rc != SQLITE_ROW)
        return rc;
    table->count++;
    return notifier->changed ? run_with_id(table, ALL_DUE, added->id) : SQLITE_OK;
}

int notifier_table_set(
    struct notifier_table *table, const struct store_notifier *list, size_t count)
{
    int rc = drop_others(table, list, count);
    table->count = 0;
    for (size_t i = 0; rc == SQLITE_OK && i < count && i < STORE_NOTIFIERS_MAX; i++)
        rc = add_notifier(table, &list[i]);
    return rc;
}

const struct notifier_entry *notifier_table_find(
    const struct notifier_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->list[i].name, name) == 0)
            return &table->list[i];
    return NULL;
}

bool notifier_table_wants(const struct notifier_entry *notifier, const struct store_alert *alert)
{
    char rule[80];
    snprintf(rule, sizeof rule, ",%.70s,", alert->rule);
    return (!notifier->critical_only || alert->severity == SEVERITY_CRITICAL) &&
           (!notifier->rules[0] || strstr(notifier->rules, rule));
}

int notifier_table_count(struct notifier_table *table, const struct notifier_entry *notifier,
    struct notifier_counts counts)
{
    sqlite3_stmt *statement = table->statements[ADD_COUNTS];
    sqlite3_bind_int64(statement, 1, notifier->id);
    sqlite3_bind_int(statement, 2, counts.delivered);
    sqlite3_bind_int(statement, 3, counts.failed);
    sqlite3_bind_int(statement, 4, counts.dropped);
    sqlite3_bind_int(statement, 5, counts.retries);
    return sql_run(statement);
}
