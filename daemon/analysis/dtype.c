/* Element types of tensors. */
#include "daemon/analysis/dtype.h"

#include <assert.h>
#include <string.h>

struct dtype_traits {
    const char *name;
    size_t size;
    int mantissa_bits;
    int exponent_min;
};

static const struct dtype_traits traits[DTYPE_COUNT] = {
    [DTYPE_F64] = {"float64", 8, 52, -1022},
    [DTYPE_F32] = {"float32", 4, 23, -126},
    [DTYPE_BF16] = {"bfloat16", 2, 7, -126},
    [DTYPE_F16] = {"float16", 2, 10, -14},
    [DTYPE_F8_E4M3FN] = {"float8_e4m3fn", 1, 3, -6},
    [DTYPE_F8_E5M2] = {"float8_e5m2", 1, 2, -14},
};

size_t dtype_size(enum dtype dtype)
{
    assert(dtype < DTYPE_COUNT);
    return traits[dtype].size;
}

const char *dtype_name(enum dtype dtype)
{
    assert(dtype < DTYPE_COUNT);
    return traits[dtype].name;
}

int dtype_parse(const char *name, enum dtype *dtype)
{
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, traits[i].name) == 0) {
            *dtype = (enum dtype)i;
            return 0;
        }
    }
    return -1;
}

bool dtype_is_narrow(enum dtype dtype)
{
    return dtype_size(dtype) < 4;
}

int dtype_mantissa_bits(enum dtype dtype)
{
    assert(dtype < DTYPE_COUNT);
    return traits[dtype].mantissa_bits;
}

int dtype_exponent_min(enum dtype dtype)
{
    assert(dtype < DTYPE_COUNT);
    return traits[dtype].exponent_min;
}
