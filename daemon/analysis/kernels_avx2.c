/* The kernels in AVX2 with FMA and F16C. */
#define VARIANT      avx2
#define VECTOR_BYTES 32
#define GROUP_ROWS   2
#include "daemon/analysis/kernels_variant.h"
