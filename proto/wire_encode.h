/* From a message to the bytes of a header. Thread-safe on its own arguments. */
#ifndef FORESHOCK_PROTO_WIRE_ENCODE_H
#define FORESHOCK_PROTO_WIRE_ENCODE_H

#include <stddef.h>

#include "proto/wire.h"

/* Encodes one message into `*out`, malloc'ed, owned by the caller. 0, or -1 when memory is short or the message is above
 * WIRE_HEADER_MAX. Does not validate names. */
int wire_encode(const struct wire_message *message, void **out, size_t *out_size);

#endif
