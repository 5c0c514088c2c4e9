/* Buffers with forbidden pages on both sides: whatever reads or writes beyond them dies on the spot. */
#ifndef FORESHOCK_TESTS_UNIT_ANALYSIS_GUARDED_H
#define FORESHOCK_TESTS_UNIT_ANALYSIS_GUARDED_H

#include <stddef.h>

struct guarded {
    unsigned char *data;
    size_t size;
    unsigned char *mapping;
    size_t mapped;
};

/* `size` bytes, all 0xff: NaN in every dtype. They end `slack` bytes before the forbidden page, which
 * leaves them unaligned where slack is odd. */
struct guarded guarded_new(size_t size, size_t slack);

/* From here on the buffer cannot be written. */
void guarded_seal(const struct guarded *buffer);

void guarded_free(struct guarded *buffer);

#endif
