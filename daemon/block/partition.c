/* See partition.h. */
#include "daemon/block/partition.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/limits.h"

/* For one more span; false when memory is short. */
static bool grow_partition(struct partition *partition)
{
    size_t wanted = partition->capacity ? 2 * partition->capacity : 1;
    struct span *grown;

    if (partition->count < partition->capacity)
        return true;
    grown = realloc(partition->spans, wanted * sizeof *grown);
    if (!grown)
        return false;
    partition->spans = grown;
    partition->capacity = wanted;
    return true;
}

enum partition_joined partition_join(
    struct partition *partition, const struct span *span, struct span *clash)
{
    struct span *spans = partition->spans;
    size_t at = 0;

    while (at < partition->count && spans[at].end <= span->begin)
        at++;
    if (at < partition->count && span_equal(&spans[at], span))
        return PARTITION_JOINED;
    if (partition->count > 0 && spans[0].cols != span->cols) {
        *clash = spans[0];
        return PARTITION_CLASH;
    }
    if (at < partition->count && spans[at].begin < span->end) {
        *clash = spans[at];
        return PARTITION_CLASH;
    }
    if (partition->count == LIMIT_SHARDS || !grow_partition(partition))
        return PARTITION_FULL;
    spans = partition->spans;
    memmove(&spans[at + 1], &spans[at], (partition->count - at) * sizeof *spans);
    spans[at] = *span;
    partition->count++;
    return PARTITION_JOINED;
}

void partition_clear(struct partition *partition)
{
    free(partition->spans);
    *partition = (struct partition){0};
}
