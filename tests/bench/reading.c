/* Reading memory as fast as one thread can; see reading.h. */
#include "tests/bench/reading.h"

#include <stdint.h>
#include <time.h>

#define LANES 32u

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void read_plainly(const void *data, size_t bytes)
{
    const uint64_t *words = data;
    uint64_t lanes[LANES] = {0}, total = 0;

    for (size_t i = 0; i + LANES <= bytes / sizeof *words; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] ^= words[i + j];
    for (size_t j = 0; j < LANES; j++)
        total += lanes[j];
    __asm__ volatile("" : : "r"(total)); /* the sum is wanted */
}
