/* The tables of docs/protocol.md as data: which keys each message has, in canonical order, and the form
 * of each value. The decoder and the encoder both walk them. */
#ifndef FORESHOCK_PROTO_WIRE_FIELDS_H
#define FORESHOCK_PROTO_WIRE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

/* How a value lies in struct wire_message. */
enum wire_store {
    WIRE_STORE_U32,
    WIRE_STORE_U64,
    WIRE_STORE_PAIR, /* uint64_t[2] */
    WIRE_STORE_BOOL,
    WIRE_STORE_STR,     /* struct wire_str */
    WIRE_STORE_TICKET,  /* uint8_t[WIRE_TICKET_SIZE] */
    WIRE_STORE_KIND,    /* enum wire_kind */
    WIRE_STORE_TAGS,    /* const struct wire_tag *, and a count */
    WIRE_STORE_SCALARS, /* const struct wire_scalar *, and a count */
    WIRE_STORE_NAMES,   /* const struct wire_str *, and a count */
    WIRE_STORE_SHARD,   /* struct wire_shard, on the wire [axis, begin, end] */
};

struct wire_form {
    enum wire_store store;
    enum wire_code refusal;         /* of a value not of this form; 0: WIRE_CODE_BAD_FIELD */
    uint64_t min, max;              /* of each number, or of the count of elements */
    bool (*valid)(struct wire_str); /* strings, and the names within maps and arrays */
    const char *expected;           /* for people */
};

struct wire_field {
    const char *key;
    const struct wire_form *form;
    size_t at;     /* offset of the value in struct wire_message */
    size_t beside; /* offset of the count (size_t) or presence (bool) of the value; 0: none */
    bool optional;
    const char *left_out; /* what a missing key stands for, if not "" or false */
};

/* The fields of a type in canonical order, `type` itself left out, and how many. */
const struct wire_field *wire_fields(enum wire_type type, size_t *count);

#endif
