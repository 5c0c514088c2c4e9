/* The daemon's only clock. Wall time is for rows and people, monotonic time for deadlines and durations.
 *
 * Any thread may read and wait. A test that puts another source in its place moves time itself, and decides when a thread
 * that waits goes on: tests/unit/virtual_clock.h. Timers of the loop are no source of time: core/loop.h has the only one, which
 * main.c has call ingest_tick, runs_tick and evaluator_tick; a test calls them itself. */
#ifndef FORESHOCK_CORE_CLOCK_H
#define FORESHOCK_CORE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock_source {
    double (*wall)(void *ctx);           /* seconds since 1970 */
    uint64_t (*monotonic_ns)(void *ctx); /* nanoseconds since some moment; never goes back */
    /* As clock_cond_wait and clock_sleep_ms, but never for ever: `until_ns` is a moment of monotonic_ns. */
    bool (*cond_wait)(void *ctx, pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ns);
    void (*sleep_until)(void *ctx, uint64_t until_ns);
    void *ctx;
};

/* From now on time comes from `source`, which is copied; NULL: from the system. Before other threads start. */
void clock_use(const struct clock_source *source);

double clock_wall(void);
uint64_t clock_ns(void);
uint64_t clock_ms(void);

/* A condition for clock_cond_wait: its timed waits follow monotonic time. 0, or an error of pthread_cond_init. */
int clock_cond_init(pthread_cond_t *cond);

/* Waits for a signal until clock_ms() reaches `until_ms` (UINT64_MAX: for ever). False: the time is over. */
bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ms);

void clock_sleep_ms(unsigned ms);

#endif
