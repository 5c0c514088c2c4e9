/* The tracked block as bytes: a header of 48 bytes, then the float32 values of its vectors, all
 * little-endian.
 *
 *   0 "FSPB"    4 u32 version    8 u64 rows    16 u64 cols    24 u64 random state
 *  32 u32 width    36 u32 warm    40 i32 exponent    44 u32 in_double    48 f32 [1 + width][cols] */
#include "daemon/analysis/spectrum_export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/analysis/spectrum_state.h"

#define MAGIC          "FSPB"
#define VERSION        3u
#define HEADER_SIZE    48u
#define EXPONENT_LIMIT 1100
#define UNIT_SLACK     1e-3

static void put(unsigned char *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static float get_float(const unsigned char *bytes)
{
    uint32_t bits = (uint32_t)get(bytes, sizeof(bits));
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static size_t count_values(const struct spectrum *spectrum)
{
    return (1 + spectrum->width) * spectrum->cols;
}

size_t spectrum_export_size(const struct spectrum *spectrum)
{
    return HEADER_SIZE + count_values(spectrum) * sizeof(float);
}

void spectrum_export(const struct spectrum *spectrum, unsigned char *bytes)
{
    memset(bytes, 0, HEADER_SIZE);
    memcpy(bytes, MAGIC, 4);
    put(bytes + 4, VERSION, 4);
    put(bytes + 8, spectrum->rows, 8);
    put(bytes + 16, spectrum->cols, 8);
    put(bytes + 24, spectrum->rng, 8);
    put(bytes + 32, spectrum->width, 4);
    put(bytes + 36, spectrum->warm, 4);
    put(bytes + 40, (uint32_t)spectrum->exponent, 4);
    put(bytes + 44, spectrum->in_double, 4);
    for (size_t i = 0; i < count_values(spectrum); i++) {
        uint32_t bits;
        memcpy(&bits, &spectrum->vectors[i], sizeof(bits));
        put(bytes + HEADER_SIZE + 4 * i, bits, 4);
    }
}

static int check_header(
    const struct spectrum *spectrum, const unsigned char *bytes, size_t size, struct error *error)
{
    if (size < HEADER_SIZE || memcmp(bytes, MAGIC, 4) != 0) {
        return error_set(error, "tracked block: %zu bytes without the header \"" MAGIC "\"", size);
    }
    if (get(bytes + 4, 4) != VERSION) {
        return error_set(
            error, "tracked block: version %u, expected %u", (unsigned)get(bytes + 4, 4), VERSION);
    }
    if (get(bytes + 8, 8) != spectrum->rows || get(bytes + 16, 8) != spectrum->cols ||
        get(bytes + 32, 4) != spectrum->width) {
        return error_set(error,
            "tracked block: %u vectors of a %llu x %llu matrix, expected %zu of %zu x %zu",
            (unsigned)get(bytes + 32, 4), (unsigned long long)get(bytes + 8, 8),
            (unsigned long long)get(bytes + 16, 8), spectrum->width, spectrum->rows,
            spectrum->cols);
    }
    if (size != spectrum_export_size(spectrum)) {
        return error_set(
            error, "tracked block: %zu bytes, expected %zu", size, spectrum_export_size(spectrum));
    }
    int32_t exponent = (int32_t)(uint32_t)get(bytes + 40, 4);
    if (get(bytes + 24, 8) == 0 || get(bytes + 36, 4) > 1 || get(bytes + 44, 4) > 1 ||
        exponent > EXPONENT_LIMIT || exponent < -EXPONENT_LIMIT) {
        return error_set(error, "tracked block: a header field is out of its range");
    }
    return 0;
}

/* A block of a snapshot holds unit vectors; the length also tells NaN and infinity. */
static int check_vectors(
    const struct spectrum *spectrum, const unsigned char *values, struct error *error)
{
    for (size_t i = 0; i <= spectrum->width; i++) {
        double square = 0;
        for (size_t c = 0; c < spectrum->cols; c++) {
            double value = (double)get_float(values + 4 * (i * spectrum->cols + c));
            square += value * value;
        }
        if (!(fabs(sqrt(square) - 1) <= UNIT_SLACK)) {
            return error_set(
                error, "tracked block: vector %zu has length %g, expected 1", i, sqrt(square));
        }
    }
    return 0;
}

int spectrum_import(struct spectrum *spectrum, const unsigned char *bytes, size_t size, bool stale,
    struct error *error)
{
    if (check_header(spectrum, bytes, size, error) != 0)
        return -1;
    bool warm = get(bytes + 36, 4) != 0;
    if (warm && check_vectors(spectrum, bytes + HEADER_SIZE, error) != 0)
        return -1;
    spectrum->rng = get(bytes + 24, 8);
    spectrum->warm = warm;
    spectrum->stale = stale;
    spectrum->exponent = (int)(int32_t)(uint32_t)get(bytes + 40, 4);
    spectrum->in_double = get(bytes + 44, 4) != 0;
    for (size_t i = 0; i < count_values(spectrum); i++)
        spectrum->vectors[i] = warm ? get_float(bytes + HEADER_SIZE + 4 * i) : 0;
    return 0;
}
