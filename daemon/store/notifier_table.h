/* The register of notifiers: their rows, and in memory what decides who hears of an alert. Belongs to the writer thread,
 * inside its transaction. */
#ifndef FORESHOCK_STORE_NOTIFIER_TABLE_H
#define FORESHOCK_STORE_NOTIFIER_TABLE_H

#include <sqlite3.h>

#include "daemon/store/store.h"

#define NOTIFIER_TABLE_STATEMENT_MAX 8
#define NOTIFIER_TABLE_NAME_MAX      64 /* bytes of a notifier's name, the NUL included */
#define NOTIFIER_TABLE_RULES_MAX     2048

struct notifier_table {
    sqlite3_stmt *statements[NOTIFIER_TABLE_STATEMENT_MAX];
    struct notifier_entry {
        int64_t id;
        char name[NOTIFIER_TABLE_NAME_MAX], rules[NOTIFIER_TABLE_RULES_MAX];
        bool critical_only;
    } list[STORE_NOTIFIERS_MAX];
    size_t count;
};

/* What is added to the counts of a notifier's row. */
struct notifier_counts {
    int delivered, failed, dropped, retries;
};

int notifier_table_open(
    struct notifier_table *table, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void notifier_table_close(struct notifier_table *table);

/* From here on these are the notifiers. The rows of others go, with all that waits for them; what waits for one that has
 * changed is due at once. An SQLite code. */
int notifier_table_set(
    struct notifier_table *table, const struct store_notifier *list, size_t count);

const struct notifier_entry *notifier_table_find(
    const struct notifier_table *table, const char *name); /* NULL: it is gone */

bool notifier_table_wants(const struct notifier_entry *notifier, const struct store_alert *alert);

int notifier_table_count(struct notifier_table *table, const struct notifier_entry *notifier,
    struct notifier_counts counts); /* an SQLite code */

#endif
