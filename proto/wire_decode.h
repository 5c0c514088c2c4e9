/* From the bytes of a header to a message. Thread-safe on its own arguments. */
#ifndef FORESHOCK_PROTO_WIRE_DECODE_H
#define FORESHOCK_PROTO_WIRE_DECODE_H

#include <stddef.h>

#include "proto/wire.h"

/* Decodes and validates one header. 0 and `*message` (to be freed), or -1 and `*fault`, with nothing to free. The fault is the
 * first in the order of docs/protocol.md's tables; WIRE_CODE_BUDGET when memory is short. */
int wire_decode(
    const void *header, size_t size, struct wire_message *message, struct wire_fault *fault);
void wire_message_free(struct wire_message *message);

#endif
