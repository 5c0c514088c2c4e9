/* Faults: the text of a MessagePack value as a person reads it, made safe and cut. */
#include "proto/wire_fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/names.h"

struct text {
    char *out;
    size_t size;
    size_t used; /* below size */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    size_t left = text->size - text->used;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text->out + text->used, left, format, arguments);
    va_end(arguments);
    if (written > 0)
        text->used += (size_t)written < left ? (size_t)written : left - 1;
}

static void put_plain(struct text *text, const msgpack_object *value)
{
    switch (value->type) {
    case MSGPACK_OBJECT_NIL: put(text, "nil"); break;
    case MSGPACK_OBJECT_BOOLEAN: put(text, "%s", value->via.boolean ? "true" : "false"); break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: put(text, "%" PRIu64, value->via.u64); break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: put(text, "%" PRId64, value->via.i64); break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: put(text, "%.17g", value->via.f64); break;
    case MSGPACK_OBJECT_STR:
        text->used += names_clean(text->out + text->used, text->size - text->used,
            (struct wire_str){value->via.str.ptr, value->via.str.size});
        break;
    case MSGPACK_OBJECT_BIN: put(text, "%" PRIu32 " bytes of binary", value->via.bin.size); break;
    case MSGPACK_OBJECT_MAP: put(text, "a map of %" PRIu32, value->via.map.size); break;
    case MSGPACK_OBJECT_ARRAY: put(text, "an array of %" PRIu32, value->via.array.size); break;
    case MSGPACK_OBJECT_EXT: /* the scanner lets none pass */ break;
    }
}

/* Short arrays are shown whole, for the sake of shapes. */
static void put_value(struct text *text, const msgpack_object *value)
{
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size > 4) {
        put_plain(text, value);
        return;
    }
    put(text, "[");
    for (uint32_t i = 0; i < value->via.array.size; i++) {
        put(text, "%s", i ? ", " : "");
        put_plain(text, &value->via.array.ptr[i]);
    }
    put(text, "]");
}

int wire_fault_set(struct wire_fault *fault, enum wire_code code, const char *field,
    const msgpack_object *value, const char *expected)
{
    struct text text = {fault->value, sizeof(fault->value), 0};

    fault->code = code;
    names_clean(fault->field, sizeof(fault->field), wire_str(field));
    names_clean(fault->expected, sizeof(fault->expected), wire_str(expected));
    if (value)
        put_value(&text, value);
    else
        put(&text, "(missing)");
    return -1;
}
