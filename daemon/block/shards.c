/* Shards kept in order; see shards.h. */
#include "daemon/block/shards.h"

#include <stdlib.h>
#include <string.h>

/* For one more shard; false when memory is short. */
static bool grow_shards(struct shards *shards)
{
    size_t wanted = shards->capacity ? 2 * shards->capacity : 1;
    struct shard *grown;

    if (shards->count < shards->capacity)
        return true;
    grown = realloc(shards->shard, wanted * sizeof *grown);
    if (!grown)
        return false;
    shards->shard = grown;
    shards->capacity = wanted;
    return true;
}

struct shards *shards_new(bool cols)
{
    struct shards *shards = calloc(1, sizeof *shards);

    if (shards)
        shards->cols = cols;
    return shards;
}

/* Where a shard that begins there lies, or belongs. */
static size_t place_of(const struct shards *shards, uint64_t begin)
{
    size_t at = 0;

    while (at < shards->count && shards->shard[at].begin < begin)
        at++;
    return at;
}

bool shards_have(const struct shards *shards, uint64_t begin)
{
    size_t at = place_of(shards, begin);

    return at < shards->count && shards->shard[at].begin == begin;
}

int shards_put(struct shards *shards, const struct span *span, struct tensor *tensor)
{
    size_t at = place_of(shards, span->begin);
    struct shard *shard;

    if (!grow_shards(shards))
        return -1;
    shard = &shards->shard[at];
    memmove(shard + 1, shard, (shards->count - at) * sizeof *shard);
    *shard = (struct shard){span->begin, span->end, tensor};
    shards->count++;
    shards->covered += span->end - span->begin;
    return 0;
}

struct span shards_missing(const struct shards *shards, uint64_t size)
{
    struct span missing = {.cols = shards->cols, .begin = 0, .end = size};
    size_t at = 0;

    while (at < shards->count && shards->shard[at].begin == missing.begin)
        missing.begin = shards->shard[at++].end;
    if (at < shards->count)
        missing.end = shards->shard[at].begin;
    return missing;
}

void shards_move(struct shards *shards, _Atomic uint64_t *account)
{
    for (size_t i = 0; i < shards->count; i++)
        tensor_move(shards->shard[i].tensor, account);
}

uint64_t shards_bytes(const struct shards *shards)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < shards->count; i++)
        bytes += tensor_bytes(shards->shard[i].tensor);
    return bytes;
}

/* Rows of `width` bytes to where they lie within rows of `pitch` bytes. */
static void copy_rows(char *to, size_t pitch, const char *from, size_t width, uint64_t rows)
{
    for (uint64_t row = 0; row < rows; row++)
        memcpy(to + row * pitch, from + row * width, width);
}

static int copy_shard(char *whole, const struct shards *shards, struct shard *shard, uint64_t rows,
    size_t size, bool transposed)
{
    const char *data = tensor_data(shard->tensor);
    uint64_t cols = shard->end - shard->begin;

    if (!data)
        return -1;
    if (transposed)
        memcpy(whole + shard->begin * rows * size, data, cols * rows * size);
    else
        copy_rows(whole + shard->begin * size, shards->covered * size, data, cols * size, rows);
    return 0;
}

int shards_merge(
    struct shards *shards, uint64_t rows, size_t size, bool transposed, _Atomic uint64_t *account)
{
    uint64_t bytes = rows * shards->covered * size;
    struct tensor *tensor;
    char *whole;

    if (!shards->cols)
        return 0;
    whole = malloc(bytes);
    tensor = whole ? tensor_new(bytes, account) : NULL;
    if (!tensor || tensor_add_piece(tensor, whole, bytes, whole, free) != 0) {
        free(whole);
        tensor_free(tensor);
        return -1;
    }
    for (size_t i = 0; i < shards->count; i++) {
        if (copy_shard(whole, shards, &shards->shard[i], rows, size, transposed) != 0) {
            tensor_free(tensor);
            return -1;
        }
        tensor_free(shards->shard[i].tensor);
        shards->shard[i].tensor = NULL;
    }
    shards->cols = false;
    shards->count = 1;
    shards->covered = rows;
    shards->shard[0] = (struct shard){0, rows, tensor};
    return 0;
}

void shards_free(struct shards *shards)
{
    if (!shards)
        return;
    for (size_t i = 0; i < shards->count; i++)
        tensor_free(shards->shard[i].tensor);
    free(shards->shard);
    free(shards);
}
