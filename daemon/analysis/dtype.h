/* Element types of tensors: names on the wire, sizes, spacing. Pure. */
#ifndef FORESHOCK_ANALYSIS_DTYPE_H
#define FORESHOCK_ANALYSIS_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

enum dtype {
    DTYPE_F64,
    DTYPE_F32,
    DTYPE_BF16,
    DTYPE_F16,
    DTYPE_F8_E4M3FN,
    DTYPE_F8_E5M2,
    DTYPE_COUNT
};

/* Bytes of one element. */
size_t dtype_size(enum dtype dtype);

/* The name on the wire: "float64", "float32", "bfloat16", "float16", "float8_e4m3fn",
 * "float8_e5m2". */
const char *dtype_name(enum dtype dtype);

/* The type of that name. Returns 0, or -1 for a name that is none of them (*dtype is left alone).
 */
int dtype_parse(const char *name, enum dtype *dtype);

/* True for the 16- and 8-bit types, whose rounding shows in a rotation. */
bool dtype_is_narrow(enum dtype dtype);

/* The spacing of a narrow type at x is 2^(max(e, exponent_min) - mantissa_bits) with e = floor(log2
 * |x|). */
int dtype_mantissa_bits(enum dtype dtype);
int dtype_exponent_min(enum dtype dtype);

#endif
