/* The state of a spectrum tracker as bytes, so that it survives a restart. Pure; one thread at a time per tracker. */
#ifndef FORESHOCK_ANALYSIS_SPECTRUM_EXPORT_H
#define FORESHOCK_ANALYSIS_SPECTRUM_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/analysis/spectrum.h"
#include "daemon/core/error.h"

/* The tracked block as bytes (little-endian, one version field), so that a restart changes no sign
 * and no figure. */
size_t spectrum_export_size(const struct spectrum *spectrum);
void spectrum_export(
    const struct spectrum *spectrum, unsigned char *bytes); /* spectrum_export_size bytes */

/* Takes such bytes in. `stale`: they are of an older snapshot than the last one seen, so the next
 * update continues the sign but reports no turn. Returns 0, or -1 with the reason in `error`; then the
 * state is as it was. */
int spectrum_import(struct spectrum *spectrum, const unsigned char *bytes, size_t size, bool stale,
    struct error *error);

#endif
