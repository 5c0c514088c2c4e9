/* What the daemon is measured against, in seconds for the same bytes: a plain copy, a plain read, a
 * bare transfer by ZeroMQ, and the analysis alone. One thread. */
#ifndef FORESHOCK_TESTS_BENCH_YARDSTICKS_H
#define FORESHOCK_TESTS_BENCH_YARDSTICKS_H

#include "tests/bench/reading.h"
#include "tests/bench/snapshots.h"

#include <stdint.h>

/* A round of the stream: `count` snapshots from `position` on, each with its inputs. */
struct stretch {
    const struct snapshots *snapshots;
    uint64_t position;
    unsigned count;
};

size_t stretch_bytes(const struct stretch *stretch);

/* `to` has stretch_bytes. */
double copy_seconds(const struct stretch *stretch, void *to);
double read_seconds(const struct stretch *stretch);

/* `socket` is a DEALER connected to a sink (process.h). -1: it failed, which was told. */
double transfer_seconds(const struct stretch *stretch, void *socket);

/* The analysis as the daemon does it for one layer, in this thread. */
struct bare_analysis;
struct bare_analysis *bare_analysis_new(const struct snapshots *snapshots); /* NULL: no memory */
void bare_analysis_free(struct bare_analysis *analysis);
double analysis_seconds(const struct stretch *stretch, struct bare_analysis *analysis); /* or -1 */
uint64_t bare_analysis_passes(const struct bare_analysis *analysis); /* since its beginning */

#endif
