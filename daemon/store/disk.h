/* Whether the disk of the state directory has room. Below `free_min` the store adds no figures and no baselines: what is
 * left there belongs to others, and deleting history for a disk that others fill would not help for long. Rows of runs,
 * layers and alerts, which are small, are still written. */
#ifndef FORESHOCK_STORE_DISK_H
#define FORESHOCK_STORE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/store.h"

struct disk {
    const struct store_options *options;
    int fd; /* a folder on it */
    /* The writer's: */
    bool is_short;
    uint64_t look_at_ms; /* when to look again */
};

/* The writer alone: looks at most once a second, tells the log and the stats when it changed. True: short of room. */
bool disk_is_short(struct disk *disk, uint64_t now_ms);

/* Whether `bytes` more leave `free_min` free. Any thread. */
bool disk_has_room(const struct disk *disk, uint64_t bytes);

/* Pure: whether a disk with `available` bytes is short. One that was is so until it has a sixteenth (at most
 * DISK_MARGIN_MAX) more than `free_min`, so that the state does not flicker. */
#define DISK_MARGIN_MAX ((uint64_t)64 << 20)
bool disk_judge(uint64_t available, uint64_t free_min, bool was_short);

#endif
