/* Matrices that are dealt in turn; see deck.h. */
#include "tests/bench/deck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLD_BYTES ((size_t)192 << 20) /* more than the cache that one core is given */
#define COPIES_MAX 64

void fatal(const char *why)
{
    fprintf(stderr, "benchmark: %s\n", why);
    exit(1);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

double random_uniform(uint64_t *state)
{
    return (double)(int64_t)next_random(state) * 0x1p-63;
}

/* A number as an element of the wide types; of the narrow ones the top bits of it, or random ones of few
 * exponents. */
static void put_random(enum dtype dtype, unsigned char *at, uint64_t *state)
{
    double value = random_uniform(state);
    float single = (float)value;
    uint64_t bits = next_random(state);
    uint32_t word;
    uint16_t half;

    memcpy(&word, &single, sizeof word);
    half = dtype == DTYPE_BF16 ? (uint16_t)(word >> 16) : (uint16_t)(0x3400u | (bits & 0x8bffu));
    if (dtype == DTYPE_F64)
        memcpy(at, &value, sizeof value);
    else if (dtype == DTYPE_F32)
        memcpy(at, &single, sizeof single);
    else if (dtype_size(dtype) == 2)
        memcpy(at, &half, sizeof half);
    else
        *at = (unsigned char)(0x30u | (bits & 0x87u));
}

struct deck deck_new(enum dtype dtype, size_t rows, size_t cols, uint64_t seed)
{
    struct deck deck = {dtype, rows, cols, rows * cols * dtype_size(dtype), 1, 0, NULL};
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

    while (deck.bytes * deck.copies < COLD_BYTES && deck.copies < COPIES_MAX)
        deck.copies++;
    deck.data = malloc(deck.bytes * deck.copies);
    if (!deck.data)
        fatal("memory is short");
    for (size_t i = 0; i < rows * cols; i++)
        put_random(dtype, deck.data + i * dtype_size(dtype), &state);
    for (size_t i = 1; i < deck.copies; i++)
        memcpy(deck.data + i * deck.bytes, deck.data, deck.bytes);
    return deck;
}

void deck_free(struct deck *deck)
{
    free(deck->data);
}

const unsigned char *deck_deal(struct deck *deck)
{
    return deck->data + deck->next++ % deck->copies * deck->bytes;
}

struct matrix_view deck_deal_view(struct deck *deck)
{
    return matrix_view_rows(deck_deal(deck), deck->dtype, deck->rows, deck->cols);
}
