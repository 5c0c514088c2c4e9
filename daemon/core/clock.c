/* Time from clock_gettime, or from a test; see clock.h. */
#include "daemon/core/clock.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

static double system_wall(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t system_monotonic_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool system_cond_wait(
    void *ctx, pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ns)
{
    struct timespec until = timespec_of(until_ns);

    (void)ctx;
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}

static void system_sleep_until(void *ctx, uint64_t until_ns)
{
    struct timespec until = timespec_of(until_ns);

    (void)ctx;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

static const struct clock_source system_clock = {
    system_wall, system_monotonic_ns, system_cond_wait, system_sleep_until, NULL};
static struct clock_source source = {
    system_wall, system_monotonic_ns, system_cond_wait, system_sleep_until, NULL};

void clock_use(const struct clock_source *other)
{
    source = other ? *other : system_clock;
}

double clock_wall(void)
{
    return source.wall(source.ctx);
}

uint64_t clock_ns(void)
{
    return source.monotonic_ns(source.ctx);
}

uint64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

int clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);

    if (rc != 0)
        return rc;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    rc = pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return rc;
}

bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ms)
{
    if (until_ms == UINT64_MAX)
        return pthread_cond_wait(cond, mutex) == 0;
    if (clock_ms() >= until_ms)
        return false;
    return source.cond_wait(source.ctx, cond, mutex, until_ms * 1000000);
}

void clock_sleep_ms(unsigned ms)
{
    source.sleep_until(source.ctx, clock_ns() + (uint64_t)ms * 1000000);
}
