/* The migrations of the database, embedded from schema/NNN_name.sql in order of version, which
 * counts from 1. */
#ifndef FORESHOCK_SCHEMA_SCHEMA_H
#define FORESHOCK_SCHEMA_SCHEMA_H

#include <stddef.h>

struct schema_migration {
    int version;
    const char *name;
    const char *sql; /* statements that bring version - 1 to version; run inside one transaction */
};

extern const struct schema_migration schema_migrations[];
extern const size_t schema_migration_count;

#endif
