/* A growing text with JSON's commas, escapes and numbers. */
#include "daemon/http/emitter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

void emit_free(struct emitter *json)
{
    free(json->text);
    emit_uncharge(json->budget, json->room);
    *json = (struct emitter){0};
}

static bool charge(struct emit_budget *budget, size_t bytes)
{
    if (!budget || atomic_fetch_add(&budget->used, bytes) + bytes <= budget->max)
        return true;
    atomic_fetch_sub(&budget->used, bytes);
    return false;
}

void emit_uncharge(struct emit_budget *budget, size_t bytes)
{
    if (budget)
        atomic_fetch_sub(&budget->used, bytes);
}

char *emit_take(struct emitter *json)
{
    emit_append(json, "", 1);
    if (json->failed) {
        bool over = json->over, too_large = json->too_large;
        emit_free(json);
        json->over = over;
        json->too_large = too_large;
        return NULL;
    }
    char *text = realloc(json->text, json->size), *kept = text ? text : json->text;
    emit_uncharge(json->budget, json->room - json->size);
    *json = (struct emitter){0};
    return kept;
}

static bool make_room(struct emitter *json, size_t more)
{
    if (json->failed)
        return false;
    if (more <= json->room - json->size)
        return true;
    size_t room = json->room ? json->room * 2 : 1024;
    while (room - json->size < more)
        room *= 2;
    if (!charge(json->budget, room - json->room)) {
        json->failed = json->over = true;
        json->too_large = room > json->budget->max;
        return false;
    }
    char *text = realloc(json->text, room);
    if (!text) {
        emit_uncharge(json->budget, room - json->room);
        json->failed = true;
        return false;
    }
    json->text = text;
    json->room = room;
    return true;
}

void emit_append(struct emitter *json, const char *bytes, size_t size)
{
    if (!make_room(json, size))
        return;
    memcpy(json->text + json->size, bytes, size);
    json->size += size;
}

void emit_append_text(struct emitter *json, const char *text)
{
    emit_append(json, text, strlen(text));
}

/* Before each value and each key. */
static void separate(struct emitter *json)
{
    if (json->comma)
        emit_append(json, ",", 1);
    json->comma = true;
}

void emit_open(struct emitter *json, char bracket)
{
    separate(json);
    emit_append(json, &bracket, 1);
    json->comma = false;
}

void emit_close(struct emitter *json, char bracket)
{
    emit_append(json, &bracket, 1);
    json->comma = true;
}

static void append_escaped(struct emitter *json, unsigned char byte, bool utf8)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    char escape[8];

    for (const char *pair = short_forms; *pair; pair += 2) {
        if ((unsigned char)pair[0] == byte) {
            emit_append(json, (char[]){'\\', pair[1]}, 2);
            return;
        }
    }
    if (byte < 0x20 || byte == 0x7f) {
        snprintf(escape, sizeof escape, "\\u%04x", byte);
        emit_append(json, escape, 6);
    } else {
        char plain = byte >= 0x80 && !utf8 ? '?' : (char)byte;
        emit_append(json, &plain, 1);
    }
}

static void append_string(struct emitter *json, const char *text)
{
    bool utf8 = wire_valid_utf8(wire_str(text));

    emit_append(json, "\"", 1);
    for (const char *at = text; *at; at++)
        append_escaped(json, (unsigned char)*at, utf8);
    emit_append(json, "\"", 1);
}

void emit_key(struct emitter *json, const char *key)
{
    separate(json);
    append_string(json, key);
    emit_append(json, ":", 1);
    json->comma = false;
}

void emit_raw(struct emitter *json, const char *value)
{
    separate(json);
    emit_append_text(json, value);
}

void emit_null(struct emitter *json)
{
    emit_raw(json, "null");
}

void emit_bool(struct emitter *json, bool value)
{
    emit_raw(json, value ? "true" : "false");
}

void emit_text(struct emitter *json, const char *text)
{
    if (!text) {
        emit_null(json);
        return;
    }
    separate(json);
    append_string(json, text);
}

void emit_text_or_null(struct emitter *json, const char *text)
{
    emit_text(json, text && *text ? text : NULL);
}

void emit_int(struct emitter *json, int64_t value)
{
    char text[EMIT_NUMBER_MAX];

    snprintf(text, sizeof text, "%" PRId64, value);
    emit_raw(json, text);
}

size_t emit_number(char *out, double value)
{
    int size = snprintf(out, EMIT_NUMBER_MAX, "%.15g", value);

    if (strtod(out, NULL) < value || strtod(out, NULL) > value)
        size = snprintf(out, EMIT_NUMBER_MAX, "%.17g", value);
    return (size_t)size;
}

void emit_real(struct emitter *json, double value)
{
    char text[EMIT_NUMBER_MAX];

    if (!isfinite(value)) {
        emit_null(json);
        return;
    }
    emit_number(text, value);
    emit_raw(json, text);
}
