/* Migrations on made-up schemas, and databases that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/migrate.h"
#include "tests/unit/store/fixture.h"

static const struct schema_migration versions[] = {
    {1, "first", "CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT) STRICT;"},
    {2, "legs", "ALTER TABLE animal ADD COLUMN legs INTEGER; UPDATE animal SET legs = 4;"},
    {3, "owners",
        "CREATE TABLE owner (animal INTEGER REFERENCES animal); INSERT INTO owner SELECT id FROM "
        "animal;"},
};

struct place {
    char dir[64], path[96];
    struct error error;
    sqlite3 *db;
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    strcpy(place->dir, "/tmp/foreshock-migrate-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof place->path, "%s/db", place->dir);
    assert_int_equal(sqlite3_open(place->path, &place->db), SQLITE_OK);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    sqlite3_close(place->db);
    fixture_remove(place->dir);
    free(place);
    return 0;
}

static void run(struct place *place, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(place->db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static int64_t number_in(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void an_older_database_is_copied_and_migrated(void **state)
{
    struct place *place = *state;
    char copy[128];
    assert_int_equal(migrate(place->db, place->path, versions, 1, &place->error), 0);
    run(place, "INSERT INTO animal VALUES (7, 'cat')");
    snprintf(copy, sizeof copy, "%s.v1", place->path);
    assert_int_equal(access(copy, F_OK), -1); /* a new database needs no copy */

    if (migrate(place->db, place->path, versions, 3, &place->error))
        fail_msg("%s", place->error.text);
    assert_int_equal(number_in(place->path, "PRAGMA user_version"), 3);
    assert_int_equal(number_in(place->path, "PRAGMA application_id"), MIGRATE_APPLICATION_ID);
    assert_int_equal(number_in(place->path, "SELECT legs FROM animal WHERE name = 'cat'"), 4);
    assert_int_equal(number_in(place->path, "SELECT animal FROM owner"), 7);
    assert_int_equal(number_in(copy, "PRAGMA user_version"), 1);
    assert_int_equal(number_in(copy, "SELECT count(*) FROM animal WHERE name = 'cat'"), 1);
    assert_int_equal(
        migrate(place->db, place->path, versions, 3, &place->error), 0); /* nothing to do */
}

static void a_new_database_is_set_up(void **state)
{
    struct place *place = *state;
    assert_int_equal(migrate(place->db, place->path, versions, 3, &place->error), 0);
    assert_int_equal(number_in(place->path, "PRAGMA auto_vacuum"), 2); /* incremental */
    assert_int_equal(number_in(place->path,
                         "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
        1);
    assert_int_equal(sqlite3_exec(place->db, "INSERT INTO owner VALUES (99)", NULL, NULL, NULL),
        SQLITE_CONSTRAINT);
}

static void assert_refused(struct place *place, size_t known, const char *text)
{
    assert_int_equal(migrate(place->db, place->path, versions, known, &place->error), -1);
    if (!strstr(place->error.text, text) || !strstr(place->error.text, place->path))
        fail_msg("\"%s\" does not say \"%s\" of %s", place->error.text, text, place->path);
}

static void a_newer_database_is_refused_untouched(void **state)
{
    struct place *place = *state;
    assert_int_equal(migrate(place->db, place->path, versions, 3, &place->error), 0);
    assert_refused(place, 2, "schema version 3, this foreshockd knows versions 1 to 2");
    assert_int_equal(number_in(place->path, "PRAGMA user_version"), 3);
}

static void another_programs_database_is_refused(void **state)
{
    struct place *place = *state;
    run(place, "CREATE TABLE theirs (x)");
    assert_refused(place, 3, "is not foreshock's");
    run(place, "PRAGMA application_id = 77");
    assert_refused(place, 3, "application_id is 0x4d, expected 0x466f7265");
}

static void a_failed_migration_changes_nothing(void **state)
{
    struct place *place = *state;
    const struct schema_migration broken[] = {
        versions[0], {2, "broken", "CREATE TABLE half (x); CREATE TABLE animal (x);"}};
    const struct schema_migration dangling[] = {
        versions[0], {2, "dangling",
                         "CREATE TABLE owner (animal INTEGER REFERENCES animal); INSERT INTO owner "
                         "VALUES (5);"}};
    assert_int_equal(migrate(place->db, place->path, versions, 1, &place->error), 0);
    assert_int_equal(migrate(place->db, place->path, broken, 2, &place->error), -1);
    assert_non_null(strstr(place->error.text, "migration 2 (broken) failed"));
    assert_non_null(strstr(place->error.text, "table animal already exists"));
    assert_int_equal(migrate(place->db, place->path, dangling, 2, &place->error), -1);
    assert_non_null(strstr(place->error.text, "1 broken references"));
    assert_int_equal(number_in(place->path, "PRAGMA user_version"), 1);
    assert_int_equal(number_in(place->path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(migrate(place->db, place->path, versions, 3, &place->error), 0);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct error error = {0};
    char path[128];
    struct fixture *fixture = *state;
    struct store *store = NULL;
    store_close(&fixture->store);
    snprintf(path, sizeof path, "%s/foreshock.db", fixture->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("no database ", file);
    fclose(file);
    assert_int_equal(store_open(&store, &fixture->options, &error), STORE_UNUSABLE);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "not a database"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
        IN_PLACE(an_older_database_is_copied_and_migrated),
        IN_PLACE(a_new_database_is_set_up),
        IN_PLACE(a_newer_database_is_refused_untouched),
        IN_PLACE(another_programs_database_is_refused),
        IN_PLACE(a_failed_migration_changes_nothing),
        cmocka_unit_test_setup_teardown(
            a_file_that_is_no_database_is_refused, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
