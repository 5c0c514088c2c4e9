/* The loops over one kind of REAL, float or double, each file on top of those before it. Included once
 * for each, with REAL, REAL_BYTES, REAL_DTYPE and NAME defined, hence no guard. */

#include "daemon/analysis/kernels_lanes.h"

/* whole rows, converted */
#include "daemon/analysis/kernels_tile.h"

/* where a pass finds its rows */
#include "daemon/analysis/kernels_source.h"

/* along rows, as they come from memory */
#include "daemon/analysis/kernels_run.h"

/* the fused pass */
#include "daemon/analysis/kernels_gram.h"

/* inputs and a direction */
#include "daemon/analysis/kernels_alignment.h"

/* neurons of an MLP block */
#include "daemon/analysis/kernels_neurons.h"

#undef NATIVE
#undef REAL
#undef REAL_BYTES
#undef REAL_DTYPE
#undef LANES
#undef NAME
