/* State machines as tables: which states there are, and which may follow which. Every move is checked against its table.
 *
 * A machine is constant data, so that any thread may use it. The state itself is an enum in the object that it is a state of. */
#ifndef FORESHOCK_CORE_STATE_MACHINE_H
#define FORESHOCK_CORE_STATE_MACHINE_H

#include <stdbool.h>

struct state_machine {
    const char *name;          /* of the object: "run" */
    const char *const *states; /* their names */
    const unsigned *next;      /* by state: STATE_BIT of each that may follow it */
    unsigned count;            /* of states */
};

#define STATE_BIT(state) (1u << (state))

/* Whether the table has that move. */
bool state_machine_allows(const struct state_machine *machine, unsigned from, unsigned to);

/* The same for a move that is about to be made by `whom`: one that the table does not have is logged as an error, and aborts
 * a debug build. The caller makes the move if it is true. */
bool state_machine_check(
    const struct state_machine *machine, unsigned from, unsigned to, const char *whom);

#endif
