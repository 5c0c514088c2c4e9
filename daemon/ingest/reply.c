/* Messages to clients; see reply.h. */
#include "daemon/ingest/reply.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/log.h"
#include "proto/names.h"
#include "proto/wire_encode.h"

bool reply_send(const struct reply_to *to, const struct wire_message *message)
{
    void *bytes;
    size_t size;
    bool sent;
    int reason;

    errno = ENOTCONN;
    if (!to->router)
        return false;
    errno = ENOMEM;
    if (wire_encode(message, &bytes, &size) != 0)
        return false;
    sent = router_send(to->router, to->identity, to->identity_size, bytes, size);
    reason = errno;
    free(bytes);
    errno = reason;
    return sent;
}

void reply_count(struct stats *stats, const struct wire_fault *fault)
{
    stats_add(&stats->refused[fault->code], 1);
}

static void log_refusal(const char *session, const struct wire_fault *fault)
{
    static struct log_limit limit = LOG_LIMIT(10);

    log_limited(&limit, LOG_LEVEL_WARNING, "message refused", LOG_STR("session", session),
        LOG_STR("code", wire_code_name(fault->code)), LOG_STR("about", fault->about),
        LOG_STR("field", fault->field), LOG_STR("value", fault->value),
        LOG_STR("expected", fault->expected));
}

void reply_fault(const struct reply_to *to, struct stats *stats, const char *session,
    const struct wire_fault *fault, bool fatal)
{
    reply_count(stats, fault);
    log_refusal(session, fault);
    reply_send(to, &(struct wire_message){.type = WIRE_ERROR,
                       .u.error = {.code = wire_str(wire_code_name(fault->code)),
                           .field = wire_str(fault->field),
                           .value = wire_str(fault->value),
                           .expected = wire_str(fault->expected),
                           .about = wire_str(fault->about),
                           .fatal = fatal}});
}
