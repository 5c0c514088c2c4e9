/* Time in which the loop turned; see reading_clock.h. */
#include "daemon/ingest/reading_clock.h"

#include "daemon/core/limits.h"

void reading_clock_start(struct reading_clock *clock, uint64_t monotonic_ms)
{
    *clock = (struct reading_clock){.tick_at = monotonic_ms};
}

uint64_t reading_clock_tick(struct reading_clock *clock, uint64_t monotonic_ms)
{
    uint64_t passed = monotonic_ms - clock->tick_at;
    bool stalled = passed > LIMIT_STALL_MS;

    clock->tick_at = monotonic_ms;
    clock->now_ms += stalled ? LIMIT_TICK_MS : passed;
    return stalled ? passed : 0;
}
