/* See attempt.h. */
#include "daemon/runs/attempt.h"

static const char *const names[ATTEMPT_STATES] = {"none", "opened", "stepped"};

static const unsigned next[ATTEMPT_STATES] = {
    [ATTEMPT_NONE] = STATE_BIT(ATTEMPT_OPENED),
    [ATTEMPT_OPENED] = STATE_BIT(ATTEMPT_OPENED) | STATE_BIT(ATTEMPT_STEPPED),
    [ATTEMPT_STEPPED] = STATE_BIT(ATTEMPT_OPENED),
};

const struct state_machine attempt_machine = {"attempt", names, next, ATTEMPT_STATES};

struct attempt attempt_restored(uint32_t number, int64_t first_step, double started_at)
{
    return (struct attempt){
        .state = first_step < 0 ? ATTEMPT_OPENED : ATTEMPT_STEPPED,
        .number = number,
        .first_step = first_step,
        .started_at = started_at,
    };
}

void attempt_next(struct attempt *attempt, double now)
{
    if (!state_machine_check(&attempt_machine, attempt->state, ATTEMPT_OPENED, ""))
        return;
    *attempt = (struct attempt){ATTEMPT_OPENED, attempt->number + 1, -1, now};
}

bool attempt_step(struct attempt *attempt, int64_t step)
{
    if (attempt->state == ATTEMPT_STEPPED ||
        !state_machine_check(&attempt_machine, attempt->state, ATTEMPT_STEPPED, ""))
        return false;
    attempt->state = ATTEMPT_STEPPED;
    attempt->first_step = step;
    return true;
}
