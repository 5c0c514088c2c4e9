/* Time from clock_gettime, or from a test; see clock.h. */
#include "daemon/core/clock.h"

#include <errno.h>
#include <time.h>

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

static const struct clock_source system_clock = {system_wall, system_monotonic_ns, NULL};
static struct clock_source source = {system_wall, system_monotonic_ns, NULL};

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
    uint64_t now = clock_ms(), until;

    if (until_ms == UINT64_MAX)
        return pthread_cond_wait(cond, mutex) == 0;
    if (now >= until_ms)
        return false;
    /* The system's clock measures the wait, whatever clock the deadline is on. */
    until = system_monotonic_ns(NULL) + (until_ms - now) * 1000000;
    return pthread_cond_timedwait(cond, mutex,
               &(struct timespec){(time_t)(until / 1000000000), (long)(until % 1000000000)}) !=
           ETIMEDOUT;
}

void clock_sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, NULL);
}
