/* Composes the error that a client gets when its message is refused: the field, its value and what was expected. */
#ifndef FORESHOCK_PROTO_FAULT_H
#define FORESHOCK_PROTO_FAULT_H

#include "proto/wire.h"

/* Fills `*fault`; `value` is a printf format. Returns -1, so that a check can end with it. */
int fault_set(struct wire_fault *fault, enum wire_code code, enum wire_type about,
    const char *field, const char *expected, const char *value, ...)
    __attribute__((format(printf, 6, 7)));

#endif
