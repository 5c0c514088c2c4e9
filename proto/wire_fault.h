/* Composes struct wire_fault out of what stood in a header. */
#ifndef FORESHOCK_PROTO_WIRE_FAULT_H
#define FORESHOCK_PROTO_WIRE_FAULT_H

#include <msgpack.h>

#include "proto/wire.h"

/* Fills all but `about`. `value` NULL: the field is missing. Always returns -1, so that a check can
 * end with it. */
int wire_fault_set(struct wire_fault *fault, enum wire_code code, const char *field,
    const msgpack_object *value, const char *expected);

#endif
