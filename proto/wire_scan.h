/* Whether the bytes of a header are one map within bounds, told before anything is allocated for it. Pure. */
#ifndef FORESHOCK_PROTO_WIRE_SCAN_H
#define FORESHOCK_PROTO_WIRE_SCAN_H

#include <stddef.h>

/* Checks that `size` bytes are exactly one MessagePack map within the bounds, without allocating. 0, or -1. */
int wire_scan(const void *header, size_t size);

#endif
