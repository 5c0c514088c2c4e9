/* Messages to headers: the fields of wire_fields.c in their order, optional ones only where they
 * have a value. */
#include "proto/wire_encode.h"

#include <msgpack.h>
#include <stdlib.h>

#include "proto/wire.h"
#include "proto/wire_fields.h"

static const void *encoded_member(const struct wire_message *message, size_t offset)
{
    return (const char *)message + offset;
}

static size_t count_of(const struct wire_message *message, const struct wire_field *field)
{
    return *(const size_t *)encoded_member(message, field->beside);
}

static bool is_written(const struct wire_message *message, const struct wire_field *field)
{
    const void *at = encoded_member(message, field->at);

    if (!field->optional)
        return true;
    switch (field->form->store) {
    case WIRE_STORE_STR: {
        const struct wire_str *text = at;
        return text->ptr && !(field->left_out && wire_str_equal(*text, field->left_out));
    }
    case WIRE_STORE_BOOL: return *(const bool *)at != (field->left_out != NULL);
    case WIRE_STORE_TAGS:
    case WIRE_STORE_SCALARS:
    case WIRE_STORE_NAMES: return count_of(message, field) > 0;
    default: return *(const bool *)encoded_member(message, field->beside);
    }
}

static int pack_str(msgpack_packer *packer, struct wire_str text)
{
    return msgpack_pack_str_with_body(packer, text.ptr ? text.ptr : "", text.len);
}

static int pack_bool(msgpack_packer *packer, bool value)
{
    return value ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
}

static int pack_pair(msgpack_packer *packer, const uint64_t *pair)
{
    return msgpack_pack_array(packer, 2) | msgpack_pack_uint64(packer, pair[0]) |
           msgpack_pack_uint64(packer, pair[1]);
}

static int pack_shard(msgpack_packer *packer, const struct wire_shard *shard)
{
    return msgpack_pack_array(packer, 3) | pack_str(packer, wire_str(wire_axis_name(shard->axis))) |
           msgpack_pack_uint64(packer, shard->begin) | msgpack_pack_uint64(packer, shard->end);
}

static int pack_tags(msgpack_packer *packer, const struct wire_tag *tags, size_t count)
{
    int failed = msgpack_pack_map(packer, count);
    for (size_t i = 0; i < count; i++)
        failed |= pack_str(packer, tags[i].key) | pack_str(packer, tags[i].value);
    return failed;
}

static int pack_scalars(msgpack_packer *packer, const struct wire_scalar *scalars, size_t count)
{
    int failed = msgpack_pack_map(packer, count);
    for (size_t i = 0; i < count; i++)
        failed |= pack_str(packer, scalars[i].name) | msgpack_pack_double(packer, scalars[i].value);
    return failed;
}

static int pack_names(msgpack_packer *packer, const struct wire_str *names, size_t count)
{
    int failed = msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++)
        failed |= pack_str(packer, names[i]);
    return failed;
}

static int pack_value(
    msgpack_packer *packer, const struct wire_message *message, const struct wire_field *field)
{
    const void *at = encoded_member(message, field->at);

    switch (field->form->store) {
    case WIRE_STORE_U32: return msgpack_pack_uint32(packer, *(const uint32_t *)at);
    case WIRE_STORE_U64: return msgpack_pack_uint64(packer, *(const uint64_t *)at);
    case WIRE_STORE_PAIR: return pack_pair(packer, at);
    case WIRE_STORE_SHARD: return pack_shard(packer, at);
    case WIRE_STORE_BOOL: return pack_bool(packer, *(const bool *)at);
    case WIRE_STORE_STR: return pack_str(packer, *(const struct wire_str *)at);
    case WIRE_STORE_TICKET: return msgpack_pack_bin_with_body(packer, at, WIRE_TICKET_SIZE);
    case WIRE_STORE_KIND: {
        bool weights = *(const enum wire_kind *)at == WIRE_WEIGHTS;
        return pack_str(packer, wire_str(weights ? "weights" : "activations"));
    }
    case WIRE_STORE_TAGS:
        return pack_tags(packer, *(const struct wire_tag *const *)at, count_of(message, field));
    case WIRE_STORE_SCALARS:
        return pack_scalars(
            packer, *(const struct wire_scalar *const *)at, count_of(message, field));
    case WIRE_STORE_NAMES:
        return pack_names(packer, *(const struct wire_str *const *)at, count_of(message, field));
    }
    return -1;
}

static int pack_message(msgpack_packer *packer, const struct wire_message *message)
{
    size_t count;
    const struct wire_field *fields = wire_fields(message->type, &count);
    size_t written = 1;
    for (size_t i = 0; i < count; i++)
        written += is_written(message, &fields[i]);

    int failed = msgpack_pack_map(packer, written) | pack_str(packer, wire_str("type")) |
                 pack_str(packer, wire_str(wire_type_name(message->type)));
    for (size_t i = 0; i < count; i++) {
        if (is_written(message, &fields[i]))
            failed |=
                pack_str(packer, wire_str(fields[i].key)) | pack_value(packer, message, &fields[i]);
    }
    return failed;
}

int wire_encode(const struct wire_message *message, void **out, size_t *out_size)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (pack_message(&packer, message) != 0 || buffer.size > WIRE_HEADER_MAX) {
        msgpack_sbuffer_destroy(&buffer);
        return -1;
    }
    *out_size = buffer.size;
    *out = msgpack_sbuffer_release(&buffer);
    return 0;
}
