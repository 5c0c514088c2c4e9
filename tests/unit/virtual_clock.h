/* A clock that stands still until a test moves it. Threads that wait for a moment of it go on within a millisecond of
 * the move; those that are signalled go on as ever. One at a time. */
#ifndef FORESHOCK_TESTS_UNIT_VIRTUAL_CLOCK_H
#define FORESHOCK_TESTS_UNIT_VIRTUAL_CLOCK_H

#include <stdint.h>

void virtual_clock_use(void); /* before other threads start */
void virtual_clock_move(uint64_t ms);
void virtual_clock_end(void); /* after they ended: time is the system's again */

#endif
