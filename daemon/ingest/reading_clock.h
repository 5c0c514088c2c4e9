/* The clock of leases and deadlines: time in which the loop turned and so could read. A stall does not count. */
#ifndef FORESHOCK_INGEST_READING_CLOCK_H
#define FORESHOCK_INGEST_READING_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct reading_clock {
    uint64_t now_ms;  /* begins at 0 */
    uint64_t tick_at; /* clock_ms() at the last tick */
};

void reading_clock_start(struct reading_clock *clock, uint64_t monotonic_ms);

/* At each tick, every LIMIT_TICK_MS. Returns the milliseconds of a stall (more than LIMIT_STALL_MS since the last tick), of
 * which one tick counts; 0: there was none. */
uint64_t reading_clock_tick(struct reading_clock *clock, uint64_t monotonic_ms);

#endif
