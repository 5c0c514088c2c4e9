/* Reading memory as fast as one thread can; see reading.h. */
#include "tests/bench/reading.h"

#include <stdint.h>
#include <time.h>

typedef uint64_t words __attribute__((vector_size(64), aligned(8), may_alias));

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* In four streams of additions, so that none waits for another. */
static inline __attribute__((always_inline)) void read_words(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    words a = {0}, b = {0}, c = {0}, d = {0};

    for (size_t i = 0; i + 4 * sizeof(words) <= bytes; i += 4 * sizeof(words)) {
        a ^= *(const words *)(at + i);
        b ^= *(const words *)(at + i + sizeof(words));
        c ^= *(const words *)(at + i + 2 * sizeof(words));
        d ^= *(const words *)(at + i + 3 * sizeof(words));
    }
    a ^= b ^ c ^ d;
    __asm__ volatile(""
                     :
                     : "r"(a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7])); /* wanted */
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void read_avx512(const void *data, size_t bytes)
{
    read_words(data, bytes);
}

__attribute__((target("avx2"))) static void read_avx2(const void *data, size_t bytes)
{
    read_words(data, bytes);
}
#endif

void read_plainly(const void *data, size_t bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        read_avx512(data, bytes);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        read_avx2(data, bytes);
        return;
    }
#endif
    read_words(data, bytes);
}
