/* Free space. */
#include "daemon/store/disk.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#include "daemon/store/store_log.h"

#define LOOK_MS 1000

bool disk_judge(uint64_t available, uint64_t free_min, bool was_short)
{
    uint64_t margin = was_short ? free_min / 16 : 0;

    if (margin > DISK_MARGIN_MAX)
        margin = DISK_MARGIN_MAX;
    return available < free_min || available - free_min < margin;
}

/* False: unknown. */
static bool free_bytes(const struct disk *disk, uint64_t *available)
{
    struct statvfs found;

    if (fstatvfs(disk->fd, &found))
        return false;
    *available = (uint64_t)found.f_bavail * found.f_frsize;
    return true;
}

static void log_change(const struct disk *disk, bool is_short, uint64_t available)
{
    uint64_t mib = (uint64_t)1 << 20;

    if (is_short)
        store_log(disk->options, true,
            "the disk of %s has %" PRIu64 " MiB free, expected %" PRIu64
            " MiB (retention.disk_free_min): figures and baselines are not stored until it has "
            "room",
            disk->options->state_dir, available / mib, disk->options->disk_free_min / mib);
    else
        store_log(disk->options, false, "the disk of %s has room again: figures are stored",
            disk->options->state_dir);
}

bool disk_is_short(struct disk *disk, uint64_t now_ms)
{
    struct stats *stats = disk->options->stats;
    bool was_short = disk->is_short;
    uint64_t available;

    if (now_ms < disk->look_at_ms)
        return disk->is_short;
    disk->look_at_ms = now_ms + LOOK_MS;
    if (!free_bytes(disk, &available))
        return disk->is_short;
    disk->is_short = disk_judge(available, disk->options->disk_free_min, was_short);
    stats_set(&stats->store_disk_short, disk->is_short);
    if (!disk->is_short)
        stats_set(&stats->disk_short_since_ms, 0);
    else if (!was_short)
        stats_set(&stats->disk_short_since_ms, now_ms);
    if (disk->is_short != was_short)
        log_change(disk, disk->is_short, available);
    return disk->is_short;
}

bool disk_has_room(const struct disk *disk, uint64_t bytes)
{
    uint64_t available;

    if (!free_bytes(disk, &available))
        return true;
    return available >= bytes &&
           !disk_judge(available - bytes, disk->options->disk_free_min, false);
}
