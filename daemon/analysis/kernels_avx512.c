/* The kernels in AVX-512 (F, BW, DQ, VL). */
#define VARIANT      avx512
#define VECTOR_BYTES 64
#define GROUP_ROWS   4
#include "daemon/analysis/kernels_variant.h"
