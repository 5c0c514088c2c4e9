/* The daemon's only clock. Wall time is for rows and people, monotonic time for deadlines and durations.
 *
 * Any thread may read. A test replaces the source, then moves time itself; timed waits on a condition end by the system's
 * monotonic clock all the same, so a test that moves time signals the condition. */
#ifndef FORESHOCK_CORE_CLOCK_H
#define FORESHOCK_CORE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock_source {
    double (*wall)(void *ctx);           /* seconds since 1970 */
    uint64_t (*monotonic_ns)(void *ctx); /* nanoseconds since some moment; never goes back */
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
