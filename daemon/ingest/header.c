/* The header of a message; see header.h. */
#include "daemon/ingest/header.h"

#include <string.h>

#include "proto/fault.h"
#include "proto/wire_decode.h"

int header_decode(struct router_message *m, struct wire_message *message, struct wire_fault *fault)
{
    size_t wanted;

    if (m->frames == 0) {
        memset(fault, 0, sizeof *fault);
        fault_set(fault, WIRE_CODE_TRUNCATED, WIRE_HELLO, "frames", "a header", "0");
        fault->about[0] = '\0';
        return -1;
    }
    if (wire_decode(zmq_msg_data(&m->header), zmq_msg_size(&m->header), message, fault) != 0)
        return -1;
    wanted = message->type == WIRE_TENSOR ? 2 : 1;
    if (m->frames == wanted)
        return 0;
    fault_set(fault, WIRE_CODE_TRUNCATED, message->type, "frames",
        wanted == 2 ? "2: header and payload" : "1: the header", "%zu", m->frames);
    wire_message_free(message);
    return -1;
}
