/* The tables of docs/protocol.md: first the forms of values, then the keys of each message in its order.
 */
#include "proto/wire_fields.h"

#include "proto/names.h"

/* clang-format off */
#define NUMBER(store, min, max, expected) {store, 0, min, max, NULL, expected}
#define TEXT(valid, expected) {WIRE_STORE_STR, 0, 0, 0, valid, expected}
#define ELEMENTS(store, max, valid, expected) {store, 0, 0, max, valid, expected}
#define OTHER(store, expected) {store, 0, 0, 0, NULL, expected}
/* clang-format on */

static const struct wire_form form_version = {
    WIRE_STORE_U64, WIRE_CODE_VERSION, WIRE_VERSION, WIRE_VERSION, NULL, "protocol version 1"};

static const struct wire_form form_uint =
    NUMBER(WIRE_STORE_U64, 0, UINT64_MAX, "an integer from 0 to 18446744073709551615");
static const struct wire_form form_step =
    NUMBER(WIRE_STORE_U64, 0, WIRE_STEP_MAX, "an integer from 0 to 9007199254740991");
static const struct wire_form form_count =
    NUMBER(WIRE_STORE_U64, 0, WIRE_COUNT_MAX, "an integer from 0 to 9007199254740991");
static const struct wire_form form_number =
    NUMBER(WIRE_STORE_U32, 0, WIRE_LAYER_NUMBER_MAX, "an integer from 0 to 65535");
static const struct wire_form form_rank =
    NUMBER(WIRE_STORE_U32, 0, WIRE_WORLD_MAX - 1, "an integer from 0 to 65535, below world");
static const struct wire_form form_world =
    NUMBER(WIRE_STORE_U32, 1, WIRE_WORLD_MAX, "an integer from 1 to 65536");
static const struct wire_form form_shape =
    NUMBER(WIRE_STORE_PAIR, 1, WIRE_DIM_MAX, "two integers from 1 to 2147483647");
static const struct wire_form form_rows =
    NUMBER(WIRE_STORE_PAIR, 0, WIRE_DIM_MAX, "two integers [r0, r1) from 0 to 2147483647");
static const struct wire_form form_shard = NUMBER(WIRE_STORE_SHARD, 0, WIRE_DIM_MAX,
    "[axis, begin, end): rows or cols, and two integers from 0 to 2147483647");

static const struct wire_form form_text = TEXT(names_valid_utf8, "text in UTF-8");
static const struct wire_form form_run = TEXT(
    names_valid_run, "1 to 128 letters, digits and . _ : -, beginning with a letter or a digit");
static const struct wire_form form_session = TEXT(
    names_valid_session, "1 to 64 letters, digits and . _ : -, beginning with a letter or a digit");
static const struct wire_form form_name = TEXT(names_valid_name,
    "1 to 256 bytes of UTF-8 without control characters and without empty, . "
    "or .. parts between /");
static const struct wire_form form_label =
    TEXT(names_valid_label, "at most 256 bytes of UTF-8 without control characters");
static const struct wire_form form_endpoint =
    TEXT(names_valid_endpoint, "a ZeroMQ endpoint or :PORT");
static const struct wire_form form_dtype =
    TEXT(names_valid_dtype, "float64, float32, bfloat16, float16, float8_e4m3fn or float8_e5m2");
static const struct wire_form form_role =
    TEXT(names_valid_role, "linear, attn.q, attn.k, attn.v, attn.o, mlp.gate, mlp.in, mlp.out, "
                           "embedding or head");
static const struct wire_form form_severity = TEXT(names_valid_severity, "warning or critical");
static const struct wire_form form_state = TEXT(names_valid_state, "firing or resolved");

static const struct wire_form form_tags = ELEMENTS(WIRE_STORE_TAGS, WIRE_TAGS_MAX, names_valid_name,
    "at most 32 tags, each a name with a text of at most 256 bytes");
static const struct wire_form form_scalars =
    ELEMENTS(WIRE_STORE_SCALARS, WIRE_SCALARS_MAX, names_valid_scalar_name,
        "at most 256 numbers, each with a name of 1 to 64 letters, digits and _ . / -, "
        "beginning with a letter and not with spectral. sa. rotation. weights. gate. "
        "activation. run.");
static const struct wire_form form_names = ELEMENTS(
    WIRE_STORE_NAMES, WIRE_ALERT_LAYERS_MAX, names_valid_name, "at most 64 names of layers");

static const struct wire_form form_bool = OTHER(WIRE_STORE_BOOL, "true or false");
static const struct wire_form form_kind = OTHER(WIRE_STORE_KIND, "weights or activations");
static const struct wire_form form_ticket = OTHER(WIRE_STORE_TICKET, "16 bytes of binary");

/* clang-format off */
#define AT(member) offsetof(struct wire_message, u.member)
#define MUST(key, form, member) {key, &form_##form, AT(member), 0, false, NULL}
#define MAY(key, form, member) {key, &form_##form, AT(member), 0, true, NULL}
#define MUST_WITH(key, form, member, by) {key, &form_##form, AT(member), AT(by), false, NULL}
#define MAY_WITH(key, form, member, by) {key, &form_##form, AT(member), AT(by), true, NULL}
/* clang-format on */

static const struct wire_field hello_fields[] = {
    MUST("version", version, hello.version),
    MUST("run", run, hello.run),
    MUST("session", session, hello.session),
    MUST("rank", rank, hello.rank),
    MUST("world", world, hello.world),
    MAY("name", name, hello.name),
    MAY("client", label, hello.client),
    MAY_WITH("tags", tags, hello.tags, hello.tags_count),
    MAY("lossless", bool, hello.lossless),
};

static const struct wire_field layer_fields[] = {
    MUST("layer", number, layer.layer),
    MUST("name", name, layer.name),
    MUST("shape", shape, layer.shape),
    MUST("dtype", dtype, layer.dtype),
    {"role", &form_role, AT(layer.role), 0, true, "linear"},
    MAY("block", name, layer.block),
    MAY("transposed", bool, layer.transposed),
    MAY_WITH("rows", rows, layer.rows, layer.has_rows),
    MAY_WITH("shard", shard, layer.shard, layer.has_shard),
};

static const struct wire_field scalars_fields[] = {
    MUST("step", step, scalars.step),
    MUST_WITH("values", scalars, scalars.values, scalars.values_count),
};

static const struct wire_field dropped_fields[] = {
    MUST("dropped", count, dropped),
};

static const struct wire_field rewind_fields[] = {
    MUST("step", step, step),
};

static const struct wire_field want_fields[] = {
    MUST("tensor", uint, want.tensor),
    MUST("bytes", uint, want.bytes),
};

static const struct wire_field flush_fields[] = {
    MAY_WITH("ticket", ticket, flush.ticket, flush.has_ticket),
    MUST("token", uint, flush.token),
};

static const struct wire_field tensor_fields[] = {
    MUST("ticket", ticket, tensor.ticket),
    MUST("tensor", uint, tensor.tensor),
    MUST("kind", kind, tensor.kind),
    MUST("layer", number, tensor.layer),
    MUST("step", step, tensor.step),
    MUST("dtype", dtype, tensor.dtype),
    MUST("shape", shape, tensor.shape),
    MUST("offset", uint, tensor.offset),
    MUST("total", uint, tensor.total),
    MAY("initial", bool, tensor.initial),
};

static const struct wire_field welcome_fields[] = {
    MUST("version", version, welcome.version),
    MUST("attempt", uint, welcome.attempt),
    MUST("tensors", endpoint, welcome.tensors),
    MUST("ticket", ticket, welcome.ticket),
    MUST("lease_ms", uint, welcome.lease_ms),
    MUST("heartbeat_ms", uint, welcome.heartbeat_ms),
    MUST("piece_bytes", uint, welcome.piece_bytes),
    MUST("tensor_bytes", uint, welcome.tensor_bytes),
    MUST("daemon", text, welcome.daemon),
};

static const struct wire_field error_fields[] = {
    MUST("code", text, error.code),
    MUST("field", text, error.field),
    MUST("value", text, error.value),
    MUST("expected", text, error.expected),
    MUST("about", text, error.about),
    MUST("fatal", bool, error.fatal),
};

static const struct wire_field grant_fields[] = {
    MUST("tensor", uint, grant),
};

static const struct wire_field flushed_fields[] = {
    MUST("token", uint, flushed.token),
    MUST("dropped", count, flushed.dropped),
};

static const struct wire_field alert_fields[] = {
    MUST("id", uint, alert.id),
    MUST("rule", text, alert.rule),
    MUST("severity", severity, alert.severity),
    MUST("state", state, alert.state),
    MUST("title", text, alert.title),
    MUST("summary", text, alert.summary),
    MUST_WITH("layers", names, alert.layers, alert.layers_count),
    MUST("step", step, alert.step),
    {"recorded", &form_bool, AT(alert.recorded), 0, true, "true"},
};

/* clang-format off */
#define TABLE(fields) {fields, sizeof(fields) / sizeof((fields)[0])}
/* clang-format on */

static const struct {
    const struct wire_field *fields;
    size_t count;
} tables[WIRE_TYPE_COUNT] = {
    [WIRE_HELLO] = TABLE(hello_fields),
    [WIRE_LAYER] = TABLE(layer_fields),
    [WIRE_SCALARS] = TABLE(scalars_fields),
    [WIRE_HEARTBEAT] = TABLE(dropped_fields),
    [WIRE_REWIND] = TABLE(rewind_fields),
    [WIRE_WANT] = TABLE(want_fields),
    [WIRE_FLUSH] = TABLE(flush_fields),
    [WIRE_BYE] = TABLE(dropped_fields),
    [WIRE_TENSOR] = TABLE(tensor_fields),
    [WIRE_WELCOME] = TABLE(welcome_fields),
    [WIRE_ERROR] = TABLE(error_fields),
    [WIRE_PULSE] = TABLE(dropped_fields),
    [WIRE_GRANT] = TABLE(grant_fields),
    [WIRE_FLUSHED] = TABLE(flushed_fields),
    [WIRE_ALERT] = TABLE(alert_fields),
    [WIRE_PING] = {NULL, 0},
    [WIRE_CLOSING] = {NULL, 0},
};

const struct wire_field *wire_fields(enum wire_type type, size_t *count)
{
    *count = tables[type].count;
    return tables[type].fields;
}
