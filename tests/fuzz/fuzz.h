/* What every fuzzer in this folder defines; libFuzzer calls it, or replay_main.c. */
#ifndef FORESHOCK_TESTS_FUZZ_FUZZ_H
#define FORESHOCK_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input. Returns 0; aborts when the code under test broke a promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
