/* Migrations: application_id says whose database it is, user_version how far it has come. */
#include "daemon/store/migrate.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/store/sql.h"
#include "daemon/store/store.h"

struct migrate_found {
    int64_t application, version, tables;
};

static int fail_with_sqlite(sqlite3 *db, const char *path, const char *what, struct error *error)
{
    return error_set(error, "database %s: %s: %s", path, what, sqlite3_errmsg(db));
}

static int read_versions(
    sqlite3 *db, const char *path, struct migrate_found *found, struct error *error)
{
    if (sql_get_int(db, "PRAGMA application_id", &found->application) != SQLITE_OK ||
        sql_get_int(db, "PRAGMA user_version", &found->version) != SQLITE_OK ||
        sql_get_int(db, "SELECT count(*) FROM sqlite_schema", &found->tables) != SQLITE_OK)
        return fail_with_sqlite(db, path, "cannot be read", error);
    return 0;
}

static int check_version(
    const char *path, const struct migrate_found *found, size_t newest, struct error *error)
{
    if (found->application != MIGRATE_APPLICATION_ID) {
        return error_set(error,
            "database %s is not foreshock's: its application_id is %#" PRIx64 ", expected %#x",
            path, (uint64_t)found->application, (unsigned)MIGRATE_APPLICATION_ID);
    }
    if (found->version < 1 || (uint64_t)found->version > newest) {
        return error_set(error,
            "database %s has schema version %" PRId64
            ", this foreshockd knows versions 1 to %zu: a newer one made it",
            path, found->version, newest);
    }
    return 0;
}

/* What can be set only before the first table. */
static int set_up(sqlite3 *db, const char *path, struct error *error)
{
    if (sql_exec(db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA "
                     "journal_mode = WAL;") != SQLITE_OK)
        return fail_with_sqlite(db, path, "cannot be set up", error);
    return 0;
}

static int keep_copy(sqlite3 *db, const char *path, int64_t version, struct error *error)
{
    int rc = -1;
    char *copy = sqlite3_mprintf("%s.v%lld", path, (long long)version);
    char *partial = sqlite3_mprintf("%s.v%lld.tmp", path, (long long)version);
    char *text = sqlite3_mprintf("VACUUM INTO %Q", partial);
    if (!copy || !partial || !text) {
        error_set(error, "database %s: cannot be copied: memory is short", path);
        goto done;
    }
    remove(partial); /* of a copy that a crash cut short; usually there is none */
    if (sql_exec(db, text) != SQLITE_OK) {
        fail_with_sqlite(db, path, "cannot be copied before its migration", error);
        goto done;
    }
    if (rename(partial, copy)) {
        error_set(error, "database %s: its copy cannot be renamed to %s", path, copy);
        goto done;
    }
    rc = 0;
done:
    sqlite3_free(text);
    sqlite3_free(partial);
    sqlite3_free(copy);
    return rc;
}

static int step_up(
    sqlite3 *db, const char *path, const struct schema_migration *migration, struct error *error)
{
    char versions[128], what[128];
    int64_t broken = 0;
    snprintf(versions, sizeof versions, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
        MIGRATE_APPLICATION_ID, migration->version);
    int rc = sql_exec(db, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = sql_exec(db, migration->sql);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, versions);
    if (rc == SQLITE_OK)
        rc = sql_get_int(db, "SELECT count(*) FROM pragma_foreign_key_check", &broken);
    if (rc == SQLITE_OK && broken == 0)
        rc = sql_exec(db, "COMMIT");
    if (rc == SQLITE_OK && broken == 0)
        return 0;
    snprintf(what, sizeof what, "migration %d (%.60s) failed with %" PRId64 " broken references",
        migration->version, migration->name, broken);
    fail_with_sqlite(db, path, what, error);
    sql_rollback(db);
    return -1;
}

int migrate(sqlite3 *db, const char *path, const struct schema_migration *migrations, size_t count,
    struct error *error)
{
    struct migrate_found found;
    if (read_versions(db, path, &found, error))
        return -1;
    bool fresh = found.application == 0 && found.version == 0 && found.tables == 0;
    if (!fresh && check_version(path, &found, count, error))
        return -1;
    if (fresh && set_up(db, path, error))
        return -1;
    if (!fresh && (size_t)found.version < count && keep_copy(db, path, found.version, error))
        return -1;
    if (sql_exec(db, "PRAGMA foreign_keys = OFF") != SQLITE_OK)
        return fail_with_sqlite(db, path, "foreign keys cannot be switched off", error);
    for (size_t i = (size_t)found.version; i < count; i++) {
        if (step_up(db, path, &migrations[i], error))
            return -1;
    }
    if (sql_exec(db, "PRAGMA foreign_keys = ON") != SQLITE_OK)
        return fail_with_sqlite(db, path, "foreign keys cannot be enforced", error);
    return 0;
}
