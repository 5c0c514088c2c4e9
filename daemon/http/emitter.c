/* A growing text with JSON's commas, escapes and numbers. */
#include "daemon/http/emitter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/names.h"
#include "proto/wire.h"

void emitter_free(struct emitter *json)
{
    free(json->text);
    emitter_uncharge(json->budget, json->room);
    *json = (struct emitter){0};
}

static bool charge(struct emitter_budget *budget, size_t bytes)
{
    if (!budget || atomic_fetch_add(&budget->used, bytes) + bytes <= budget->max)
        return true;
    atomic_fetch_sub(&budget->used, bytes);
    return false;
}

void emitter_uncharge(struct emitter_budget *budget, size_t bytes)
{
    if (budget)
        atomic_fetch_sub(&budget->used, bytes);
}

char *emitter_take(struct emitter *json)
{
    emitter_append(json, "", 1);
    if (json->failed) {
        bool over = json->over, too_large = json->too_large;
        emitter_free(json);
        json->over = over;
        json->too_large = too_large;
        return NULL;
    }
    char *text = realloc(json->text, json->size), *kept = text ? text : json->text;
    emitter_uncharge(json->budget, json->room - json->size);
    *json = (struct emitter){0};
    return kept;
}

static bool grow_text(struct emitter *json, size_t more)
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
        emitter_uncharge(json->budget, room - json->room);
        json->failed = true;
        return false;
    }
    json->text = text;
    json->room = room;
    return true;
}

void emitter_append(struct emitter *json, const char *bytes, size_t size)
{
    if (!grow_text(json, size))
        return;
    memcpy(json->text + json->size, bytes, size);
    json->size += size;
}

void emitter_append_text(struct emitter *json, const char *text)
{
    emitter_append(json, text, strlen(text));
}

/* Before each value and each key. */
static void separate(struct emitter *json)
{
    if (json->comma)
        emitter_append(json, ",", 1);
    json->comma = true;
}

void emitter_open(struct emitter *json, char bracket)
{
    separate(json);
    emitter_append(json, &bracket, 1);
    json->comma = false;
}

void emitter_close(struct emitter *json, char bracket)
{
    emitter_append(json, &bracket, 1);
    json->comma = true;
}

static void append_escaped(struct emitter *json, unsigned char byte, bool utf8)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    char escape[8];

    for (const char *pair = short_forms; *pair; pair += 2) {
        if ((unsigned char)pair[0] == byte) {
            emitter_append(json, (char[]){'\\', pair[1]}, 2);
            return;
        }
    }
    if (byte < 0x20 || byte == 0x7f) {
        snprintf(escape, sizeof escape, "\\u%04x", byte);
        emitter_append(json, escape, 6);
    } else {
        char plain = byte >= 0x80 && !utf8 ? '?' : (char)byte;
        emitter_append(json, &plain, 1);
    }
}

static void append_string(struct emitter *json, const char *text)
{
    bool utf8 = names_valid_utf8(wire_str(text));

    emitter_append(json, "\"", 1);
    for (const char *at = text; *at; at++)
        append_escaped(json, (unsigned char)*at, utf8);
    emitter_append(json, "\"", 1);
}

void emitter_key(struct emitter *json, const char *key)
{
    separate(json);
    append_string(json, key);
    emitter_append(json, ":", 1);
    json->comma = false;
}

void emitter_raw(struct emitter *json, const char *value)
{
    separate(json);
    emitter_append_text(json, value);
}

void emitter_null(struct emitter *json)
{
    emitter_raw(json, "null");
}

void emitter_bool(struct emitter *json, bool value)
{
    emitter_raw(json, value ? "true" : "false");
}

void emitter_text(struct emitter *json, const char *text)
{
    if (!text) {
        emitter_null(json);
        return;
    }
    separate(json);
    append_string(json, text);
}

void emitter_text_or_null(struct emitter *json, const char *text)
{
    emitter_text(json, text && *text ? text : NULL);
}

void emitter_int(struct emitter *json, int64_t value)
{
    char text[EMITTER_NUMBER_MAX];

    snprintf(text, sizeof text, "%" PRId64, value);
    emitter_raw(json, text);
}

size_t emitter_number(char *out, double value)
{
    int size = snprintf(out, EMITTER_NUMBER_MAX, "%.15g", value);

    if (strtod(out, NULL) < value || strtod(out, NULL) > value)
        size = snprintf(out, EMITTER_NUMBER_MAX, "%.17g", value);
    return (size_t)size;
}

void emitter_real(struct emitter *json, double value)
{
    char text[EMITTER_NUMBER_MAX];

    if (!isfinite(value)) {
        emitter_null(json);
        return;
    }
    emitter_number(text, value);
    emitter_raw(json, text);
}
