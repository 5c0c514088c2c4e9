/* A stored w(0): what the block that took it, the run that keeps it and the store say of it. Plain values. */
#ifndef FORESHOCK_CORE_BASELINE_ROW_H
#define FORESHOCK_CORE_BASELINE_ROW_H

#include <stddef.h>
#include <stdint.h>

enum { BASELINE_NO_ROOM = 1 }; /* on the disk, for its file; nothing was written */

struct baseline_row {
    int64_t layer, step;
    uint32_t attempt;
    char dtype[16];
    uint64_t bytes, checksum; /* of its file */
};

/* A piece of the file, in memory. */
struct baseline_part {
    const void *data;
    size_t size;
};

#endif
