/* Headers to messages: scan, unpack, then read field after field as wire_fields.c says. The first
 * thing wrong, in the order of docs/protocol.md's tables, is the fault told. */
#include "proto/wire_decode.h"

#include <msgpack.h>
#include <string.h>

#include "proto/names.h"
#include "proto/wire.h"
#include "proto/wire_fault.h"
#include "proto/wire_fields.h"
#include "proto/wire_scan.h"

static const char header_expected[] = "one MessagePack map of at most 65536 bytes and four levels, "
                                      "with string keys, each known key once";

struct decoding {
    const msgpack_object_map *map;
    msgpack_zone *storage;
    struct wire_message *message;
    struct wire_fault *fault;
};

static struct wire_str str_of(const msgpack_object *value)
{
    return (struct wire_str){value->via.str.ptr, value->via.str.size};
}

static bool is_valid_str(const msgpack_object *value, bool (*valid)(struct wire_str))
{
    return value->type == MSGPACK_OBJECT_STR && valid(str_of(value));
}

static void *decoded_member(const struct decoding *d, size_t offset)
{
    return (char *)d->message + offset;
}

/* A value that is there and not of its field's form. */
static int refuse_field(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    enum wire_code code = field->form->refusal ? field->form->refusal : WIRE_CODE_BAD_FIELD;
    return wire_fault_set(d->fault, code, field->key, value, field->form->expected);
}

static int refuse_memory(const struct decoding *d)
{
    return wire_fault_set(d->fault, WIRE_CODE_BUDGET, "", NULL, "free memory for the header");
}

/* The value of `key`, NULL where there is none. -1 when the key is there twice. */
static int find_key(const struct decoding *d, const char *key, const msgpack_object **value)
{
    *value = NULL;
    for (uint32_t i = 0; i < d->map->size; i++) {
        const msgpack_object_kv *pair = &d->map->ptr[i];
        if (!wire_str_equal(str_of(&pair->key), key))
            continue;
        if (*value)
            return wire_fault_set(d->fault, WIRE_CODE_BAD_HEADER, key, &pair->val, header_expected);
        *value = &pair->val;
    }
    return 0;
}

static bool has_repeated_key(const msgpack_object_map *map)
{
    for (uint32_t i = 1; i < map->size; i++) {
        struct wire_str key = str_of(&map->ptr[i].key);
        for (uint32_t j = 0; j < i; j++) {
            struct wire_str other = str_of(&map->ptr[j].key);
            if (key.len == other.len && memcmp(key.ptr, other.ptr, key.len) == 0)
                return true;
        }
    }
    return false;
}

static bool read_uint(const struct wire_form *form, const msgpack_object *value, uint64_t *out)
{
    *out = value->via.u64;
    return value->type == MSGPACK_OBJECT_POSITIVE_INTEGER && *out >= form->min && *out <= form->max;
}

static bool read_pair(const struct wire_form *form, const msgpack_object *value, uint64_t *out)
{
    return value->type == MSGPACK_OBJECT_ARRAY && value->via.array.size == 2 &&
           read_uint(form, &value->via.array.ptr[0], &out[0]) &&
           read_uint(form, &value->via.array.ptr[1], &out[1]);
}

static bool read_shard(
    const struct wire_form *form, const msgpack_object *value, struct wire_shard *out)
{
    const msgpack_object *part = value->via.array.ptr;

    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size != 3 ||
        part[0].type != MSGPACK_OBJECT_STR)
        return false;
    out->axis = wire_str_equal(str_of(&part[0]), wire_axis_name(WIRE_ROWS)) ? WIRE_ROWS : WIRE_COLS;
    return wire_str_equal(str_of(&part[0]), wire_axis_name(out->axis)) &&
           read_uint(form, &part[1], &out->begin) && read_uint(form, &part[2], &out->end);
}

static bool read_ticket(const msgpack_object *value, uint8_t *out)
{
    if (value->type != MSGPACK_OBJECT_BIN || value->via.bin.size != WIRE_TICKET_SIZE)
        return false;
    memcpy(out, value->via.bin.ptr, WIRE_TICKET_SIZE);
    return true;
}

static bool read_kind(const msgpack_object *value, enum wire_kind *out)
{
    if (value->type != MSGPACK_OBJECT_STR)
        return false;
    *out = wire_str_equal(str_of(value), "weights") ? WIRE_WEIGHTS : WIRE_ACTIVATIONS;
    return *out == WIRE_WEIGHTS || wire_str_equal(str_of(value), "activations");
}

static bool read_double(const msgpack_object *value, double *out)
{
    switch (value->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER: *out = (double)value->via.u64; return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: *out = (double)value->via.i64; return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: *out = value->via.f64; return true;
    default: return false;
    }
}

/* Checks a map of names before its elements are read: not too many, none twice. */
static int check_map(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (value->type != MSGPACK_OBJECT_MAP)
        return refuse_field(d, field, value);
    if (value->via.map.size > field->form->max)
        return wire_fault_set(d->fault, WIRE_CODE_LIMIT, field->key, value, field->form->expected);
    if (has_repeated_key(&value->via.map))
        return wire_fault_set(d->fault, WIRE_CODE_BAD_HEADER, field->key, value, header_expected);
    return 0;
}

/* Room for the elements of a map or an array, which `field` is going to point to. */
static void *new_elements(
    const struct decoding *d, const struct wire_field *field, uint32_t count, size_t size)
{
    void *elements = msgpack_zone_malloc(d->storage, (count + 1) * size);
    if (!elements)
        return NULL;
    *(const void **)decoded_member(d, field->at) = elements;
    *(size_t *)decoded_member(d, field->beside) = count;
    return elements;
}

static int read_tags(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (check_map(d, field, value) < 0)
        return -1;
    struct wire_tag *tags = new_elements(d, field, value->via.map.size, sizeof(*tags));
    if (!tags)
        return refuse_memory(d);
    for (uint32_t i = 0; i < value->via.map.size; i++) {
        const msgpack_object_kv *pair = &value->via.map.ptr[i];
        if (!is_valid_str(&pair->key, field->form->valid))
            return refuse_field(d, field, &pair->key);
        if (!is_valid_str(&pair->val, names_valid_label))
            return refuse_field(d, field, &pair->val);
        tags[i] = (struct wire_tag){str_of(&pair->key), str_of(&pair->val)};
    }
    return 0;
}

static int read_scalars(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (check_map(d, field, value) < 0)
        return -1;
    struct wire_scalar *scalars = new_elements(d, field, value->via.map.size, sizeof(*scalars));
    if (!scalars)
        return refuse_memory(d);
    for (uint32_t i = 0; i < value->via.map.size; i++) {
        const msgpack_object_kv *pair = &value->via.map.ptr[i];
        if (!is_valid_str(&pair->key, field->form->valid))
            return refuse_field(d, field, &pair->key);
        if (!read_double(&pair->val, &scalars[i].value))
            return refuse_field(d, field, &pair->val);
        scalars[i].name = str_of(&pair->key);
    }
    return 0;
}

static int read_names(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (value->type != MSGPACK_OBJECT_ARRAY)
        return refuse_field(d, field, value);
    if (value->via.array.size > field->form->max)
        return wire_fault_set(d->fault, WIRE_CODE_LIMIT, field->key, value, field->form->expected);
    struct wire_str *names = new_elements(d, field, value->via.array.size, sizeof(*names));
    if (!names)
        return refuse_memory(d);
    for (uint32_t i = 0; i < value->via.array.size; i++) {
        const msgpack_object *element = &value->via.array.ptr[i];
        if (!is_valid_str(element, field->form->valid))
            return refuse_field(d, field, element);
        names[i] = str_of(element);
    }
    return 0;
}

static int read_u32(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    uint64_t number;
    if (!read_uint(field->form, value, &number))
        return refuse_field(d, field, value);
    *(uint32_t *)decoded_member(d, field->at) = (uint32_t)number;
    return 0;
}

static int read_bool(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (value->type != MSGPACK_OBJECT_BOOLEAN)
        return refuse_field(d, field, value);
    *(bool *)decoded_member(d, field->at) = value->via.boolean;
    return 0;
}

static int read_str(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    if (!is_valid_str(value, field->form->valid))
        return refuse_field(d, field, value);
    *(struct wire_str *)decoded_member(d, field->at) = str_of(value);
    return 0;
}

static int read_value(
    const struct decoding *d, const struct wire_field *field, const msgpack_object *value)
{
    void *at = decoded_member(d, field->at);
    bool good = false;

    switch (field->form->store) {
    case WIRE_STORE_U32: return read_u32(d, field, value);
    case WIRE_STORE_BOOL: return read_bool(d, field, value);
    case WIRE_STORE_STR: return read_str(d, field, value);
    case WIRE_STORE_TAGS: return read_tags(d, field, value);
    case WIRE_STORE_SCALARS: return read_scalars(d, field, value);
    case WIRE_STORE_NAMES: return read_names(d, field, value);
    case WIRE_STORE_U64: good = read_uint(field->form, value, at); break;
    case WIRE_STORE_PAIR: good = read_pair(field->form, value, at); break;
    case WIRE_STORE_TICKET: good = read_ticket(value, at); break;
    case WIRE_STORE_KIND: good = read_kind(value, at); break;
    case WIRE_STORE_SHARD: good = read_shard(field->form, value, at); break;
    }
    if (!good)
        return refuse_field(d, field, value);
    if (field->beside)
        *(bool *)decoded_member(d, field->beside) = true;
    return 0;
}

static int read_field(const struct decoding *d, const struct wire_field *field)
{
    const msgpack_object *value;
    if (find_key(d, field->key, &value) < 0)
        return -1;
    if (value)
        return read_value(d, field, value);
    if (!field->optional)
        return wire_fault_set(
            d->fault, WIRE_CODE_BAD_FIELD, field->key, NULL, field->form->expected);
    if (field->left_out && field->form->store == WIRE_STORE_BOOL)
        *(bool *)decoded_member(d, field->at) = true;
    else if (field->left_out)
        *(struct wire_str *)decoded_member(d, field->at) = wire_str(field->left_out);
    return 0;
}

static int read_type(const struct decoding *d)
{
    static const char expected[] = "the type of a message";
    const msgpack_object *value;
    if (find_key(d, "type", &value) < 0)
        return -1;
    if (!value || value->type != MSGPACK_OBJECT_STR)
        return wire_fault_set(d->fault, WIRE_CODE_BAD_FIELD, "type", value, expected);
    names_clean(d->fault->about, sizeof(d->fault->about), str_of(value));
    for (int type = 0; type < WIRE_TYPE_COUNT; type++) {
        if (wire_str_equal(str_of(value), wire_type_name((enum wire_type)type))) {
            d->message->type = (enum wire_type)type;
            return 0;
        }
    }
    return wire_fault_set(d->fault, WIRE_CODE_UNKNOWN_TYPE, "type", value, expected);
}

/* A fault that two fields make together; told with the value of `key`, which is there. */
static int refuse_together(
    const struct decoding *d, enum wire_code code, const char *key, const char *expected)
{
    const msgpack_object *value;
    find_key(d, key, &value);
    return wire_fault_set(d->fault, code, key, value, expected);
}

static int check_layer(const struct decoding *d)
{
    const struct wire_layer *layer = &d->message->u.layer;
    const struct wire_shard *shard = &layer->shard;
    if (layer->has_rows &&
        (layer->rows[0] >= layer->rows[1] || layer->rows[1] - layer->rows[0] != layer->shape[0]))
        return refuse_together(
            d, WIRE_CODE_BAD_FIELD, "rows", "[r0, r1) of as many rows as the shape has");
    if (layer->has_shard && (shard->begin >= shard->end || shard->end > layer->shape[shard->axis]))
        return refuse_together(
            d, WIRE_CODE_BAD_FIELD, "shard", "[begin, end) within the shape, one or more");
    return 0;
}

static int check_tensor(const struct decoding *d)
{
    const struct wire_tensor *tensor = &d->message->u.tensor;
    uint64_t total;
    bool overflow = __builtin_mul_overflow(
        tensor->shape[0] * tensor->shape[1], names_dtype_size(tensor->dtype), &total);
    if (overflow || total != tensor->total)
        return refuse_together(
            d, WIRE_CODE_TENSOR_MISMATCH, "total", "the product of shape and the size of dtype");
    if (tensor->offset >= tensor->total)
        return refuse_together(d, WIRE_CODE_TENSOR_MISMATCH, "offset", "less than total");
    if (tensor->initial && tensor->kind != WIRE_WEIGHTS)
        return refuse_together(d, WIRE_CODE_BAD_FIELD, "initial", "false unless kind is weights");
    return 0;
}

static int check_together(const struct decoding *d)
{
    const struct wire_hello *hello = &d->message->u.hello;
    switch (d->message->type) {
    case WIRE_HELLO:
        if (hello->rank >= hello->world)
            return refuse_together(d, WIRE_CODE_BAD_FIELD, "rank", "less than world");
        return 0;
    case WIRE_LAYER: return check_layer(d);
    case WIRE_TENSOR: return check_tensor(d);
    default: return 0;
    }
}

static int read_message(const struct decoding *d)
{
    if (read_type(d) < 0)
        return -1;
    size_t count;
    const struct wire_field *fields = wire_fields(d->message->type, &count);
    for (size_t i = 0; i < count; i++) {
        if (read_field(d, &fields[i]) < 0)
            return -1;
    }
    return check_together(d);
}

/* Unpacks the storage's own copy of the header, since unpacked strings point into what was
 * unpacked. */
static int unpack_and_read(struct decoding *d, const void *header, size_t size)
{
    char *copy = msgpack_zone_malloc(d->storage, size);
    if (!copy)
        return refuse_memory(d);
    memcpy(copy, header, size);

    msgpack_unpacked unpacked;
    size_t used = 0;
    int result;
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return unpack = msgpack_unpack_next(&unpacked, copy, size, &used);
    if (unpack == MSGPACK_UNPACK_SUCCESS && used == size) {
        d->map = &unpacked.data.via.map;
        result = read_message(d);
    } else if (unpack == MSGPACK_UNPACK_NOMEM_ERROR) {
        result = refuse_memory(d);
    } else {
        result = wire_fault_set(d->fault, WIRE_CODE_BAD_HEADER, "", NULL, header_expected);
    }
    msgpack_unpacked_destroy(&unpacked);
    return result;
}

int wire_decode(
    const void *header, size_t size, struct wire_message *message, struct wire_fault *fault)
{
    struct decoding d = {NULL, NULL, message, fault};

    memset(message, 0, sizeof(*message));
    memset(fault, 0, sizeof(*fault));
    if (wire_scan(header, size) < 0) {
        wire_fault_set(fault, WIRE_CODE_BAD_HEADER, "", NULL, header_expected);
        snprintf(fault->value, sizeof(fault->value), "%zu bytes", size);
        return -1;
    }
    d.storage = msgpack_zone_new(size + 256);
    if (!d.storage)
        return refuse_memory(&d);
    message->storage = d.storage;
    int result = unpack_and_read(&d, header, size);
    if (result < 0)
        wire_message_free(message);
    return result;
}
