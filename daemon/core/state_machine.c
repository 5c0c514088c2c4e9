/* See state_machine.h. */
#include "daemon/core/state_machine.h"

#include <stdlib.h>

#include "daemon/core/log.h"

bool state_machine_allows(const struct state_machine *machine, unsigned from, unsigned to)
{
    return from < machine->count && to < machine->count && machine->next[from] & STATE_BIT(to);
}

static const char *name_of(const struct state_machine *machine, unsigned state)
{
    return state < machine->count ? machine->states[state] : "?";
}

bool state_machine_check(
    const struct state_machine *machine, unsigned from, unsigned to, const char *whom)
{
    if (state_machine_allows(machine, from, to))
        return true;
    log_error("a move that no table of states has is refused", LOG_STR("machine", machine->name),
        LOG_STR("whom", whom), LOG_STR("from", name_of(machine, from)),
        LOG_STR("to", name_of(machine, to)));
#ifdef FORESHOCK_DEBUG
    abort();
#endif
    return false;
}
