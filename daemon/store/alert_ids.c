/* The count lies where SQLite keeps it for AUTOINCREMENT; see alert_ids.h. */
#include "daemon/store/alert_ids.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/core/limits.h"
#include "daemon/store/sql.h"
#include "daemon/store/store.h"

_Static_assert(LIMIT_JOURNAL < ALERT_IDS_AHEAD, "every alert that waits has a number in reserve");

static int set_count(struct alert_ids *ids, int64_t count)
{
    char text[96];
    snprintf(text, sizeof text, "UPDATE sqlite_sequence SET seq = %" PRId64 " WHERE name = 'alert'",
        count);
    return sql_exec(ids->db, text);
}

static int reserve_ids(struct alert_ids *ids, int64_t from)
{
    int rc = set_count(ids, from + 2 * ALERT_IDS_AHEAD);
    if (rc == SQLITE_OK)
        ids->reserved = from + 2 * ALERT_IDS_AHEAD;
    return rc;
}

int alert_ids_open(struct alert_ids *ids, sqlite3 *db, struct error *error)
{
    int64_t last = 0;
    *ids = (struct alert_ids){.db = db};
    if (sql_get_int(db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alert'",
            &last) != SQLITE_OK) {
        error_set(error, "the numbers of alerts cannot be read: %s", sqlite3_errmsg(db));
        ids->db = NULL;
        return -1;
    }
    atomic_store(&ids->last, last);
    /* A disk that is full now must not keep the daemon from starting: the first alert reserves again. */
    if (sql_exec(db, "INSERT INTO sqlite_sequence (name, seq) SELECT 'alert', 0 WHERE NOT EXISTS"
                     " (SELECT 1 FROM sqlite_sequence WHERE name = 'alert')") == SQLITE_OK)
        reserve_ids(ids, last);
    return 0;
}

void alert_ids_close(struct alert_ids *ids)
{
    if (ids->db)
        set_count(ids, atomic_load(&ids->last)); /* or numbers are left out */
    ids->db = NULL;
}

int64_t alert_ids_next(struct alert_ids *ids)
{
    return atomic_fetch_add(&ids->last, 1) + 1;
}

int alert_ids_written(struct alert_ids *ids, int64_t id)
{
    int64_t last = atomic_load(&ids->last);
    while (last < id && !atomic_compare_exchange_weak(&ids->last, &last, id))
        ;
    return id > ids->reserved - ALERT_IDS_AHEAD ? reserve_ids(ids, id) : SQLITE_OK;
}

void alert_ids_rolled_back(struct alert_ids *ids)
{
    ids->reserved = 0;
}
