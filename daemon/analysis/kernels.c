/* Which variant of the kernels runs. */
#include "daemon/analysis/kernels.h"

#include "daemon/analysis/kernels_variants.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENVIRONMENT  "FORESHOCK_KERNELS"
#define VARIANTS_MAX 8

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct kernels *available[VARIANTS_MAX];
static size_t available_count;
static const struct kernels *in_use;

static void offer(const struct kernels *variant)
{
    available[available_count++] = variant;
}

static const struct kernels *named(const char *name)
{
    for (size_t i = 0; i < available_count; i++)
        if (strcmp(available[i]->name, name) == 0)
            return available[i];
    return NULL;
}

#if defined(__x86_64__)
/* The compilers do not agree on its name in __builtin_cpu_supports. */
static bool has_f16c(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}
#endif

static void choose(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16"))
        offer(&kernels_avx512_bf16);
    if (avx512)
        offer(&kernels_avx512);
    if (avx2)
        offer(&kernels_avx2);
#elif defined(__aarch64__)
    offer(&kernels_neon);
#endif
    offer(&kernels_portable);
    const char *wanted = getenv(ENVIRONMENT);
    const struct kernels *forced = wanted ? named(wanted) : NULL;
    in_use = forced ? forced : available[0];
}

const struct kernels *kernels_in_use(void)
{
    pthread_once(&once, choose);
    return in_use;
}

size_t kernels_available(const struct kernels *const **list)
{
    pthread_once(&once, choose);
    *list = available;
    return available_count;
}

int kernels_check_environment(struct error *error)
{
    const char *wanted = getenv(ENVIRONMENT);
    char names[128] = "";

    pthread_once(&once, choose);
    if (!wanted || named(wanted))
        return 0;
    for (size_t i = 0, length = 0; i < available_count && length < sizeof names; i++)
        length +=
            (size_t)snprintf(names + length, sizeof names - length, " %s", available[i]->name);
    return error_set(
        error, ENVIRONMENT "=%s: expected one that this processor runs:%s", wanted, names);
}
