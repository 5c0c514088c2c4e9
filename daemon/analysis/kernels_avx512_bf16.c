/* The kernels in AVX-512 with products of bfloat16 pairs. */
#define VARIANT      avx512_bf16
#define VECTOR_BYTES 64
#define GROUP_ROWS   4
#include "daemon/analysis/kernels_variant.h"
