/* The kernels in portable C in 16-byte vectors: SSE2 on x86, NEON on ARM. */
#define VARIANT      portable
#define VECTOR_BYTES 16
#define GROUP_ROWS   2
#include "daemon/analysis/kernels_variant.h"
