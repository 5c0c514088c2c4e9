/* See virtual_clock.h. Waits are slices of the system's time: what they wait for is looked at after each. */
#include "tests/unit/virtual_clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "daemon/core/clock.h"

#define EPOCH    1800000000.0 /* wall time of the moment 0 */
#define START_NS 1000000000ull
#define SLICE_NS 1000000

static atomic_uint_least64_t now_ns;

static double virtual_wall(void *ctx)
{
    (void)ctx;
    return EPOCH + 1e-9 * (double)atomic_load(&now_ns);
}

static uint64_t virtual_monotonic_ns(void *ctx)
{
    (void)ctx;
    return atomic_load(&now_ns);
}

static bool virtual_cond_wait(
    void *ctx, pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ns)
{
    struct timespec slice;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &slice); /* of clock_cond_init */
    slice.tv_nsec += SLICE_NS;
    slice.tv_sec += slice.tv_nsec / 1000000000;
    slice.tv_nsec %= 1000000000;
    pthread_cond_timedwait(cond, mutex, &slice);
    return atomic_load(&now_ns) < until_ns;
}

static void virtual_sleep_until(void *ctx, uint64_t until_ns)
{
    (void)ctx;
    while (atomic_load(&now_ns) < until_ns)
        nanosleep(&(struct timespec){0, SLICE_NS}, NULL);
}

void virtual_clock_use(void)
{
    atomic_store(&now_ns, START_NS);
    clock_use(&(struct clock_source){
        virtual_wall, virtual_monotonic_ns, virtual_cond_wait, virtual_sleep_until, NULL});
}

void virtual_clock_move(uint64_t ms)
{
    atomic_fetch_add(&now_ns, ms * 1000000);
}

void virtual_clock_end(void)
{
    clock_use(NULL);
}
