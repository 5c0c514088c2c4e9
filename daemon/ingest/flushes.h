/* The flush markers of one session. A client sends each token on both of its sockets; when the second arrives, everything
 * before it has been read. */
#ifndef FORESHOCK_INGEST_FLUSHES_H
#define FORESHOCK_INGEST_FLUSHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/limits.h"

struct flushes {
    struct flush_marker {
        uint64_t token;
        bool on_control;
    } waiting[LIMIT_FLUSHES];
    size_t count;
};

enum flushes_outcome {
    FLUSHES_WAITING,  /* its counterpart is yet to arrive on the other socket */
    FLUSHES_COMPLETE, /* both are here */
    FLUSHES_FULL      /* LIMIT_FLUSHES wait already: not noted */
};

enum flushes_outcome flushes_mark(struct flushes *flushes, uint64_t token, bool on_control);

void flushes_clear(struct flushes *flushes);

#endif
