/* The variants that a build can hold; kernels.c picks among those of its architecture. */
#ifndef FORESHOCK_ANALYSIS_KERNELS_VARIANTS_H
#define FORESHOCK_ANALYSIS_KERNELS_VARIANTS_H

#include "daemon/analysis/kernels.h"

extern const struct kernels kernels_portable;
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
extern const struct kernels kernels_avx512_bf16;
extern const struct kernels kernels_neon;

#endif
