/* See backlog.h. */
#include "daemon/runs/backlog.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/core/limits.h"

/* A copy in one piece: the message, its values, their names. */
static struct backlog_entry *copy_of(const struct wire_scalars *scalars)
{
    size_t values = scalars->values_count * sizeof *scalars->values, bytes;
    struct backlog_entry *copy;
    struct wire_scalar *value;
    char *text;

    bytes = sizeof *copy + values;
    for (size_t i = 0; i < scalars->values_count; i++)
        bytes += scalars->values[i].name.len;
    copy = malloc(bytes);
    if (!copy)
        return NULL;
    value = (struct wire_scalar *)(copy + 1);
    text = (char *)(value + scalars->values_count);
    *copy = (struct backlog_entry){.scalars = *scalars, .bytes = bytes};
    copy->scalars.values = value;
    for (size_t i = 0; i < scalars->values_count; i++, value++) {
        *value = scalars->values[i];
        memcpy(text, value->name.ptr, value->name.len);
        value->name.ptr = text;
        text += value->name.len;
    }
    return copy;
}

bool backlog_put(struct backlog *backlog, const struct wire_scalars *scalars, uint32_t attempt)
{
    struct backlog_entry *copy = copy_of(scalars);

    if (!copy || copy->bytes > LIMIT_BACKLOG_BYTES - *backlog->total_bytes) {
        free(copy);
        return false;
    }
    copy->attempt = attempt;
    *backlog->total_bytes += copy->bytes;
    DL_APPEND(backlog->entries, copy);
    return true;
}

void backlog_drop_first(struct backlog *backlog)
{
    struct backlog_entry *first = backlog->entries;

    *backlog->total_bytes -= first->bytes;
    DL_DELETE(backlog->entries, first);
    free(first);
}

void backlog_clear(struct backlog *backlog)
{
    while (backlog->entries)
        backlog_drop_first(backlog);
}
