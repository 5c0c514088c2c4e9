/* The forms of text that the protocol knows beside those in wire.h, and how text from outside is
 * made fit to show. */
#ifndef FORESHOCK_PROTO_NAMES_H
#define FORESHOCK_PROTO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

/* The forms of docs/protocol.md's "Names and bounds", also for ids that come by other ways (HTTP, command line). */
bool names_valid_run(struct wire_str run);
bool names_valid_name(struct wire_str name);
bool names_valid_scalar_name(struct wire_str name);
bool names_valid_utf8(struct wire_str text);

bool names_valid_session(struct wire_str text);
bool names_valid_label(
    struct wire_str text); /* at most WIRE_NAME_MAX bytes, no control characters */
bool names_valid_endpoint(struct wire_str text);
bool names_valid_dtype(struct wire_str text);
bool names_valid_role(struct wire_str text);
bool names_valid_severity(struct wire_str text);
bool names_valid_state(struct wire_str text);

/* Bytes of one element of a dtype; 0 when there is no such dtype. */
uint64_t names_dtype_size(struct wire_str dtype);

/* Copies `text` into `out` (terminated, cut between characters); control characters and bytes that
 * are not UTF-8 become
 * '?'. `size` is at least 1. Returns the length written. */
size_t names_clean(char *out, size_t size, struct wire_str text);

#endif
