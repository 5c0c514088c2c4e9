/* The files that hold each layer's w(0), as the block sees them: a table of functions that main's store fills.
 *
 * Workers call them; each call is about a file of its own. */
#ifndef FORESHOCK_BLOCK_BASELINE_FILES_H
#define FORESHOCK_BLOCK_BASELINE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/baseline_row.h"
#include "daemon/core/error.h"

struct baseline_files {
    /* Writes the parts, row->bytes in all, one after the other, and syncs them. 0 and row->checksum; BASELINE_NO_ROOM or -1
     * and `error`. */
    int (*write)(void *ctx, struct baseline_row *row, const struct baseline_part *parts,
        size_t count, struct error *error);
    /* Maps a file read-only after its length and checksum were found right. NULL and `error`: it is missing or damaged. */
    const void *(*map)(void *ctx, const struct baseline_row *row, struct error *error);
    void (*unmap)(const void *map, uint64_t bytes);
    void *ctx;
};

#endif
