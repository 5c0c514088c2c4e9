/* A part of a layer's matrix W [out, in]: its rows or columns [begin, end). */
#ifndef FORESHOCK_BLOCK_SPAN_H
#define FORESHOCK_BLOCK_SPAN_H

#include <stdbool.h>
#include <stdint.h>

struct span {
    bool cols;
    uint64_t begin, end;
};

static inline bool span_equal(const struct span *a, const struct span *b)
{
    return a->cols == b->cols && a->begin == b->begin && a->end == b->end;
}

#endif
