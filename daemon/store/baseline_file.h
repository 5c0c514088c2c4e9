/* The files of baselines: written whole or not at all, checked before they are mapped. Any thread, each on a file of its own. */
#ifndef FORESHOCK_STORE_BASELINE_FILE_H
#define FORESHOCK_STORE_BASELINE_FILE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/error.h"
#include "daemon/store/disk.h"
#include "daemon/store/store.h"

#define BASELINE_FILE_NAME_MAX 64

/* "<layer>-<attempt>-<step>.w0": another baseline of the same layer never takes the place of a file that a row still names. */
void baseline_file_name(
    char name[BASELINE_FILE_NAME_MAX], int64_t layer, uint32_t attempt, int64_t step);

/* In `folder`, the one of baselines. What store.h promises of store_baseline_write, _map and _unmap. */
int baseline_file_write(int folder, const struct disk *disk, struct baseline_row *row,
    const struct baseline_part *parts, size_t count, struct error *error);
const void *baseline_file_map(int folder, const struct baseline_row *row, struct error *error);
void baseline_file_unmap(const void *map, uint64_t bytes);

/* Removes temporary files, and baselines that have no row: what a crash left. 0, or -1 and `error`. */
int baseline_file_sweep(int folder, sqlite3 *db, struct error *error);

#endif
