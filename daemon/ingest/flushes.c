/* Flush markers of two sockets; see flushes.h. */
#include "daemon/ingest/flushes.h"

enum flushes_outcome flushes_mark(struct flushes *flushes, uint64_t token, bool on_control)
{
    struct flush_marker *marker = flushes->waiting, *end = marker + flushes->count;

    while (marker < end && (marker->token != token || marker->on_control == on_control))
        marker++;
    if (marker < end) {
        *marker = end[-1];
        flushes->count--;
        return FLUSHES_COMPLETE;
    }
    if (flushes->count == LIMIT_FLUSHES)
        return FLUSHES_FULL;
    *end = (struct flush_marker){token, on_control};
    flushes->count++;
    return FLUSHES_WAITING;
}

void flushes_clear(struct flushes *flushes)
{
    flushes->count = 0;
}
