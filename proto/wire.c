/* Names of message types and error codes, and the small change of wire.h. */
#include "proto/wire.h"

#include <msgpack.h>
#include <string.h>

#include "proto/wire_decode.h"

#define NAME_OF(id, name) name,
static const char *const type_names[] = {WIRE_TYPES(NAME_OF)};
static const char *const code_names[] = {"none", WIRE_CODES(NAME_OF)};
#undef NAME_OF

const char *wire_type_name(enum wire_type type)
{
    return (unsigned)type < WIRE_TYPE_COUNT ? type_names[type] : "unknown";
}

const char *wire_code_name(enum wire_code code)
{
    return (unsigned)code < WIRE_CODE_COUNT ? code_names[code] : "unknown";
}

const char *wire_axis_name(enum wire_axis axis)
{
    return axis == WIRE_ROWS ? "rows" : "cols";
}

struct wire_str wire_str(const char *text)
{
    return (struct wire_str){text, text ? strlen(text) : 0};
}

bool wire_str_equal(struct wire_str a, const char *b)
{
    return a.ptr && a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

void wire_message_free(struct wire_message *message)
{
    if (message->storage)
        msgpack_zone_free(message->storage);
    message->storage = NULL;
}
