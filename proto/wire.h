/* The codec of the wire protocol (docs/protocol.md, version 1): headers of messages to and from bytes.
 *
 * Pure: no sockets, no globals; every function is thread-safe on its own arguments. Decoded strings and arrays point into
 * the message's own storage and live until wire_message_free. Nothing read from outside is trusted: a header is
 * scanned without allocating (wire_scan) before it is unpacked, and every field is checked against docs/protocol.md's
 * "Names and bounds". */
#ifndef FORESHOCK_PROTO_WIRE_H
#define FORESHOCK_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION          1u
#define WIRE_HEADER_MAX       65536u
#define WIRE_DEPTH_MAX        4u
#define WIRE_PIECE_MAX        16777216u
#define WIRE_NAME_MAX         256u
#define WIRE_RUN_MAX          128u
#define WIRE_SESSION_MAX      64u
#define WIRE_SCALAR_NAME_MAX  64u
#define WIRE_TAGS_MAX         32u
#define WIRE_SCALARS_MAX      256u
#define WIRE_ALERT_LAYERS_MAX 64u
#define WIRE_LAYER_NUMBER_MAX 65535u
#define WIRE_WORLD_MAX        65536u
#define WIRE_DIM_MAX          2147483647u
#define WIRE_STEP_MAX         ((UINT64_C(1) << 53) - 1)
#define WIRE_COUNT_MAX        ((UINT64_C(1) << 53) - 1) /* what JSON and SQLite hold exactly */
#define WIRE_TICKET_SIZE      16u

/* enum wire_type, and its names on the wire */
#define WIRE_TYPES(X)                                                                              \
    X(HELLO, "hello")                                                                              \
    X(LAYER, "layer")                                                                              \
    X(SCALARS, "scalars")                                                                          \
    X(HEARTBEAT, "heartbeat")                                                                      \
    X(REWIND, "rewind")                                                                            \
    X(WANT, "want")                                                                                \
    X(FLUSH, "flush")                                                                              \
    X(BYE, "bye")                                                                                  \
    X(TENSOR, "tensor")                                                                            \
    X(WELCOME, "welcome")                                                                          \
    X(ERROR, "error")                                                                              \
    X(PULSE, "pulse")                                                                              \
    X(GRANT, "grant")                                                                              \
    X(FLUSHED, "flushed")                                                                          \
    X(ALERT, "alert")                                                                              \
    X(PING, "ping")                                                                                \
    X(CLOSING, "closing")

/* enum wire_code, and its names on the wire */
#define WIRE_CODES(X)                                                                              \
    X(BAD_HEADER, "bad_header")                                                                    \
    X(TRUNCATED, "truncated")                                                                      \
    X(UNKNOWN_TYPE, "unknown_type")                                                                \
    X(VERSION, "version")                                                                          \
    X(BAD_FIELD, "bad_field")                                                                      \
    X(UNKNOWN_SESSION, "unknown_session")                                                          \
    X(UNKNOWN_TICKET, "unknown_ticket")                                                            \
    X(RANK_TAKEN, "rank_taken")                                                                    \
    X(NOT_OWNER, "not_owner")                                                                      \
    X(LAYER_UNKNOWN, "layer_unknown")                                                              \
    X(LAYER_CONFLICT, "layer_conflict")                                                            \
    X(LIMIT, "limit")                                                                              \
    X(TENSOR_TOO_LARGE, "tensor_too_large")                                                        \
    X(TENSOR_MISMATCH, "tensor_mismatch")                                                          \
    X(STEP_BACKWARDS, "step_backwards")                                                            \
    X(BUDGET, "budget")                                                                            \
    X(STALE, "stale")                                                                              \
    X(DISK_SHORT, "disk_short")                                                                    \
    X(BASELINE_DAMAGED, "baseline_damaged")

#define WIRE_ENUM_TYPE(id, name) WIRE_##id,
enum wire_type { WIRE_TYPES(WIRE_ENUM_TYPE) WIRE_TYPE_COUNT };
#undef WIRE_ENUM_TYPE

#define WIRE_ENUM_CODE(id, name) WIRE_CODE_##id,
enum wire_code { WIRE_CODE_NONE, WIRE_CODES(WIRE_ENUM_CODE) WIRE_CODE_COUNT };
#undef WIRE_ENUM_CODE

enum wire_kind { WIRE_WEIGHTS, WIRE_ACTIVATIONS };
enum wire_axis { WIRE_ROWS, WIRE_COLS };

/* Bytes of UTF-8, not terminated by a NUL. ptr NULL means: the optional key is absent. */
struct wire_str {
    const char *ptr;
    size_t len;
};

struct wire_tag {
    struct wire_str key, value;
};

struct wire_scalar {
    struct wire_str name;
    double value;
};

struct wire_hello {
    uint64_t version;
    struct wire_str run, session;
    uint32_t rank, world;
    struct wire_str name, client; /* optional */
    const struct wire_tag *tags;
    size_t tags_count;
    bool lossless;
};

/* Rows or columns [begin, end) of a layer's matrix. */
struct wire_shard {
    enum wire_axis axis;
    uint64_t begin, end;
};

struct wire_layer {
    uint32_t layer;
    struct wire_str name;
    uint64_t shape[2];           /* [out, in], of the whole matrix */
    struct wire_str dtype, role; /* role: "linear" when absent */
    struct wire_str block;       /* optional */
    bool transposed;
    bool has_rows;
    uint64_t rows[2];
    bool has_shard; /* else the sender holds the whole matrix */
    struct wire_shard shard;
};

struct wire_scalars {
    uint64_t step;
    const struct wire_scalar *values;
    size_t values_count;
};

struct wire_tensor {
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t tensor;
    enum wire_kind kind;
    uint32_t layer;
    uint64_t step;
    struct wire_str dtype;
    uint64_t shape[2];
    uint64_t offset, total;
    bool initial;
};

struct wire_flush {
    bool has_ticket; /* on the tensor socket */
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t token;
};

struct wire_want {
    uint64_t tensor, bytes;
};

struct wire_welcome {
    uint64_t version;
    uint64_t attempt;
    struct wire_str tensors;
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t lease_ms, heartbeat_ms, piece_bytes, tensor_bytes;
    struct wire_str daemon;
};

struct wire_error {
    struct wire_str code, field, value, expected, about;
    bool fatal;
};

struct wire_flushed {
    uint64_t token, dropped;
};

struct wire_alert {
    uint64_t id;
    struct wire_str rule, severity, state, title, summary;
    const struct wire_str *layers;
    size_t layers_count;
    uint64_t step;
    bool recorded; /* on the wire optional, true if it is missing */
};

/* One message. `u` is the member that `type` names; heartbeat, bye and pulse use `dropped`, rewind `step`, grant `tensor`. */
struct wire_message {
    enum wire_type type;
    union {
        struct wire_hello hello;
        struct wire_layer layer;
        struct wire_scalars scalars;
        struct wire_tensor tensor;
        struct wire_flush flush;
        struct wire_want want;
        struct wire_welcome welcome;
        struct wire_error error;
        struct wire_flushed flushed;
        struct wire_alert alert;
        uint64_t dropped;
        uint64_t step;
        uint64_t grant;
    } u;
    void *storage; /* owned by the codec */
};

/* What was wrong with a header: everything an `error` message tells. Texts are NUL-terminated, valid UTF-8, cut to fit. */
struct wire_fault {
    enum wire_code code;
    char field[64];
    char value[129];
    char expected[192];
    char about[32];
};

const char *wire_type_name(enum wire_type type);
const char *wire_code_name(enum wire_code code);
const char *wire_axis_name(enum wire_axis axis); /* "rows" or "cols" */
struct wire_str wire_str(const char *text);      /* of a NUL-terminated text; {NULL, 0} of NULL */
bool wire_str_equal(struct wire_str a, const char *b);

#endif
