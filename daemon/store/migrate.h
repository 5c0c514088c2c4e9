/* Brings the database to the newest version of the schema. */
#ifndef FORESHOCK_STORE_MIGRATE_H
#define FORESHOCK_STORE_MIGRATE_H

#include <sqlite3.h>
#include <stddef.h>

#include "daemon/core/error.h"
#include "schema/schema.h"

#define MIGRATE_APPLICATION_ID 0x466f7265 /* "Fore" */

/* Sets up a new database, or migrates an older one after copying it to `<path>.v<version>`. Each
 * migration is one transaction with its version number: a crash between leaves a version that
 * the next start goes on from. 0, or -1 and `error` for a database that is
 * another program's, newer, or damaged. No transaction may be open; foreign keys are enforced
 * afterwards. */
int migrate(sqlite3 *db, const char *path, const struct schema_migration *migrations, size_t count,
    struct error *error);

#endif
