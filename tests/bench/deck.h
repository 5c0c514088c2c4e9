/* Matrices of one shape and dtype, dealt in turn, so that none is still in cache when it comes again. One
 * thread a deck. Ends the program when memory is short. */
#ifndef FORESHOCK_TESTS_BENCH_DECK_H
#define FORESHOCK_TESTS_BENCH_DECK_H

#include "daemon/analysis/matrix.h"

#include <stdint.h>

struct deck {
    enum dtype dtype;
    size_t rows, cols, bytes; /* of one matrix */
    size_t copies, next;
    unsigned char *data;
};

/* Random matrices, all with the same finite elements. */
struct deck deck_new(enum dtype dtype, size_t rows, size_t cols, uint64_t seed);
void deck_free(struct deck *deck);

/* The one that was used longest ago. */
const unsigned char *deck_deal(struct deck *deck);
struct matrix_view deck_deal_view(struct deck *deck);

/* Uniform in [-1, 1); the state must not be 0. */
double random_uniform(uint64_t *state);

/* Says why on stderr and ends the program. */
_Noreturn void fatal(const char *why);

#endif
