/* The forms of names on the wire: which texts are UTF-8, and which are a run, a layer, a scalar, a
 * dtype or a role. */
#include "proto/names.h"

#include <string.h>

#include "proto/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    uint64_t size;
} dtypes[] = {
    {"float64", 8},
    {"float32", 4},
    {"bfloat16", 2},
    {"float16", 2},
    {"float8_e4m3fn", 1},
    {"float8_e5m2", 1},
};

static const char *const roles[] = {
    "linear",
    "attn.q",
    "attn.k",
    "attn.v",
    "attn.o",
    "mlp.gate",
    "mlp.in",
    "mlp.out",
    "embedding",
    "head",
};

/* Metrics of the daemon's own begin with these. */
static const char *const reserved_prefixes[] = {
    "spectral.",
    "sa.",
    "rotation.",
    "weights.",
    "gate.",
    "activation.",
    "run.",
};

static const char *const severities[] = {"warning", "critical"};
static const char *const states[] = {"firing", "resolved"};

static bool is_one_of(struct wire_str text, const char *const *choices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wire_str_equal(text, choices[i]))
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_letter_or_digit(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* Letters, digits and the characters of `others`, which may not stand first; nor may a digit
 * without `digit_first`. */
static bool is_identifier(struct wire_str text, size_t max, bool digit_first, const char *others)
{
    if (text.len < 1 || text.len > max)
        return false;
    if (!(digit_first ? is_letter_or_digit(text.ptr[0]) : is_letter(text.ptr[0])))
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_letter_or_digit(c) && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

bool names_valid_utf8(struct wire_str text)
{
    uint32_t character;
    for (size_t at = 0, length; at < text.len; at += length) {
        length = utf8_next(text.ptr + at, text.len - at, &character);
        if (length == 0)
            return false;
    }
    return true;
}

bool names_valid_label(struct wire_str text)
{
    if (text.len > WIRE_NAME_MAX)
        return false;
    uint32_t character;
    for (size_t at = 0, length; at < text.len; at += length) {
        length = utf8_next(text.ptr + at, text.len - at, &character);
        if (length == 0 || is_control(character))
            return false;
    }
    return true;
}

static bool is_path_component(struct wire_str part)
{
    return part.len > 0 && !wire_str_equal(part, ".") && !wire_str_equal(part, "..");
}

bool names_valid_name(struct wire_str name)
{
    if (name.len == 0 || !names_valid_label(name))
        return false;
    const char *end = name.ptr + name.len;
    const char *part = name.ptr;
    for (;;) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        const char *part_end = slash ? slash : end;
        if (!is_path_component((struct wire_str){part, (size_t)(part_end - part)}))
            return false;
        if (!slash)
            return true;
        part = slash + 1;
    }
}

bool names_valid_run(struct wire_str run)
{
    return is_identifier(run, WIRE_RUN_MAX, true, "._:-");
}

bool names_valid_session(struct wire_str text)
{
    return is_identifier(text, WIRE_SESSION_MAX, true, "._:-");
}

bool names_valid_scalar_name(struct wire_str name)
{
    if (!is_identifier(name, WIRE_SCALAR_NAME_MAX, false, "_./-"))
        return false;
    for (size_t i = 0; i < COUNT(reserved_prefixes); i++) {
        size_t length = strlen(reserved_prefixes[i]);
        if (name.len >= length && memcmp(name.ptr, reserved_prefixes[i], length) == 0)
            return false;
    }
    return true;
}

bool names_valid_endpoint(struct wire_str text)
{
    return text.len > 0 && names_valid_label(text);
}

uint64_t names_dtype_size(struct wire_str dtype)
{
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        if (wire_str_equal(dtype, dtypes[i].name))
            return dtypes[i].size;
    }
    return 0;
}

bool names_valid_dtype(struct wire_str text)
{
    return names_dtype_size(text) > 0;
}

bool names_valid_role(struct wire_str text)
{
    return is_one_of(text, roles, COUNT(roles));
}

bool names_valid_severity(struct wire_str text)
{
    return is_one_of(text, severities, COUNT(severities));
}

bool names_valid_state(struct wire_str text)
{
    return is_one_of(text, states, COUNT(states));
}

size_t names_clean(char *out, size_t size, struct wire_str text)
{
    size_t used = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t character;
        size_t length = utf8_next(text.ptr + at, text.len - at, &character);
        bool shown = length > 0 && !is_control(character);
        size_t width = shown ? length : 1;
        if (used + width >= size)
            break;
        if (shown)
            memcpy(out + used, text.ptr + at, length);
        else
            out[used] = '?';
        used += width;
        at += length > 0 ? length : 1;
    }
    out[used] = '\0';
    return used;
}
