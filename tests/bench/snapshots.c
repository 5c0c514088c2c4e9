/* Synthetic snapshots; see snapshots.h. */
#include "tests/bench/snapshots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u
#define DRIFT     1e-3f /* of an element, a snapshot */
#define TURN      1e-2f /* of the leading direction, a snapshot */
#define SPIKE     2.0   /* times the largest singular value of the bulk */

/* Of mean 0 and variance 1, uniform. xorshift64*. */
static float draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((float)(*state * 0x2545f4914f6cdd1dull >> 40) / 8388608.0f - 1.0f) * 1.7320508f;
}

static void put(const struct snapshots *s, void *to, size_t at, float value)
{
    uint32_t bits;

    if (s->dtype == DTYPE_F32) {
        ((float *)to)[at] = value;
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    bits += 0x7fffu + (bits >> 16 & 1u); /* bfloat16, rounded to nearest even */
    ((uint16_t *)to)[at] = (uint16_t)(bits >> 16);
}

static void *buffer(size_t bytes)
{
    return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

/* One snapshot: `from` and `to` are unit directions in the space of the inputs. */
static void fill_weights(
    const struct snapshots *s, size_t number, const float *from, const float *to)
{
    uint64_t bulk = 1, moved = 1000 + number, left = 7;
    float std = 1.0f / sqrtf((float)s->cols), turn = TURN * (float)number;
    double spike = SPIKE * (double)std * (sqrt((double)s->rows) + sqrt((double)s->cols));
    float scale = (float)(spike / sqrt((double)s->rows)) / sqrtf(1.0f + turn * turn);

    for (size_t r = 0; r < s->rows; r++) {
        float u = scale * draw(&left);

        for (size_t c = 0; c < s->cols; c++) {
            float element = std * (draw(&bulk) + DRIFT * draw(&moved));

            put(s, s->weights[number], r * s->cols + c, element + u * (from[c] + turn * to[c]));
        }
    }
}

static float *unit_vector(size_t n, uint64_t seed)
{
    float *v = malloc(n * sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i] = draw(&seed) / sqrtf((float)n);
    return v;
}

int snapshots_make(struct snapshots *s, enum dtype dtype, size_t rows, size_t cols, size_t tokens)
{
    float *from = unit_vector(cols, 11), *to = unit_vector(cols, 13);
    uint64_t seed = 17;
    int rc = from && to ? 0 : -1;

    *s = (struct snapshots){.dtype = dtype, .rows = rows, .cols = cols, .tokens = tokens};
    s->inputs = buffer(snapshots_inputs_bytes(s));
    if (!s->inputs)
        rc = -1;
    for (size_t i = 0; rc == 0 && i < SNAPSHOTS_KEPT; i++) {
        s->weights[i] = buffer(snapshots_weights_bytes(s));
        if (s->weights[i])
            fill_weights(s, i, from, to);
        else
            rc = -1;
    }
    for (size_t i = 0; rc == 0 && i < tokens * cols; i++)
        put(s, s->inputs, i, draw(&seed));
    free(from);
    free(to);
    return rc;
}

void snapshots_free(struct snapshots *s)
{
    for (size_t i = 0; i < SNAPSHOTS_KEPT; i++)
        free(s->weights[i]);
    free(s->inputs);
}

const void *snapshots_weights(const struct snapshots *s, uint64_t position)
{
    uint64_t at = position % (2 * SNAPSHOTS_KEPT - 2);

    return s->weights[at < SNAPSHOTS_KEPT ? at : 2 * SNAPSHOTS_KEPT - 2 - at];
}

size_t snapshots_weights_bytes(const struct snapshots *s)
{
    return s->rows * s->cols * dtype_size(s->dtype);
}

size_t snapshots_inputs_bytes(const struct snapshots *s)
{
    return s->tokens * s->cols * dtype_size(s->dtype);
}
