/* The clock, and plainly reading memory: the yardstick of everything that computes on what it reads. */
#ifndef FORESHOCK_TESTS_BENCH_READING_H
#define FORESHOCK_TESTS_BENCH_READING_H

#include <stddef.h>

double seconds_now(void); /* of a monotonic clock */

/* Reads every byte but the last few once, in order, with the widest loads that the processor has. */
void read_plainly(const void *data, size_t bytes);

#endif
