/* The kernels in NEON with its thirty-two registers. */
#define VARIANT      neon
#define VECTOR_BYTES 16
#define GROUP_ROWS   4
#include "daemon/analysis/kernels_variant.h"
