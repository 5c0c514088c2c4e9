/* What is read back after a start: everything that the loop must know again, and the figures that rebuild detectors. Any
 * thread; each call has a connection of its own. */
#ifndef FORESHOCK_STORE_CATALOG_H
#define FORESHOCK_STORE_CATALOG_H

#include "daemon/core/error.h"
#include "daemon/store/store.h"

/* `path`: of the database. What store.h promises of store_catalog and store_replay. */
int catalog_read(const char *path, const struct store_catalog *visitor, struct error *error);
int catalog_replay(const char *path, int64_t run, uint32_t attempt, const char *const *metrics,
    void (*figure)(void *ctx, const struct figure *), void *ctx, struct error *error);

#endif
