/* The scanner that looks at a header before anything is allocated for it: is this one map, whole
 * and within bounds? */
#include "proto/wire_scan.h"

#include <stdint.h>

#include "proto/wire.h"

struct scan_cursor {
    const uint8_t *at;
    size_t left;
};

enum shape { SCALAR, BLOB, ARRAY, MAP, REFUSED };

/* What a lead byte announces: a shape, and how many bytes follow before the blob or the first
 * element. For a scalar these are its value; for the others they are the count, unless it is within
 * the lead byte (then 0). */
struct lead {
    enum shape shape;
    uint8_t follow;
    uint8_t count;
};

static struct lead read_lead(uint8_t byte)
{
    /* clang-format off */
    static const struct lead from_c0[] = {
        {SCALAR, 0, 0},  {REFUSED, 0, 0}, {SCALAR, 0, 0},  {SCALAR, 0, 0},  /* nil, unused, bool */
        {BLOB, 1, 0},    {BLOB, 2, 0},    {BLOB, 4, 0},                     /* bin */
        {REFUSED, 0, 0}, {REFUSED, 0, 0}, {REFUSED, 0, 0},                  /* ext */
        {SCALAR, 4, 0},  {SCALAR, 8, 0},                                    /* float */
        {SCALAR, 1, 0},  {SCALAR, 2, 0},  {SCALAR, 4, 0},  {SCALAR, 8, 0},  /* uint */
        {SCALAR, 1, 0},  {SCALAR, 2, 0},  {SCALAR, 4, 0},  {SCALAR, 8, 0},  /* int */
        {REFUSED, 0, 0}, {REFUSED, 0, 0}, {REFUSED, 0, 0}, {REFUSED, 0, 0}, /* fixext */
        {REFUSED, 0, 0},
        {BLOB, 1, 0},    {BLOB, 2, 0},    {BLOB, 4, 0},                     /* str */
        {ARRAY, 2, 0},   {ARRAY, 4, 0},   {MAP, 2, 0},     {MAP, 4, 0},
    };
    /* clang-format on */

    if (byte < 0x80 || byte >= 0xE0)
        return (struct lead){SCALAR, 0, 0};
    if (byte < 0x90)
        return (struct lead){MAP, 0, byte & 0x0F};
    if (byte < 0xA0)
        return (struct lead){ARRAY, 0, byte & 0x0F};
    if (byte < 0xC0)
        return (struct lead){BLOB, 0, byte & 0x1F};
    return from_c0[byte - 0xC0];
}

static bool is_string(uint8_t lead)
{
    return (lead >= 0xA0 && lead < 0xC0) || (lead >= 0xD9 && lead <= 0xDB);
}

static bool skip_bytes(struct scan_cursor *cursor, size_t count)
{
    if (count > cursor->left)
        return false;
    cursor->at += count;
    cursor->left -= count;
    return true;
}

static bool read_count(struct scan_cursor *cursor, struct lead lead, size_t *count)
{
    const uint8_t *digits = cursor->at;
    if (!skip_bytes(cursor, lead.follow))
        return false;
    *count = lead.count;
    for (size_t i = 0; i < lead.follow; i++)
        *count = *count << 8 | digits[i];
    return true;
}

static bool scan_value(struct scan_cursor *cursor, unsigned depth);

/* `count` elements, or pairs of a map: every one takes a byte at least, so a count above what is
 * left is a lie. */
static bool scan_elements(struct scan_cursor *cursor, size_t count, bool map, unsigned depth)
{
    if (depth > WIRE_DEPTH_MAX || count > cursor->left / (map ? 2 : 1))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (map && !(cursor->left > 0 && is_string(cursor->at[0]) && scan_value(cursor, depth)))
            return false;
        if (!scan_value(cursor, depth))
            return false;
    }
    return true;
}

/* One value, which `depth` containers hold. */
static bool scan_value(struct scan_cursor *cursor, unsigned depth)
{
    if (cursor->left == 0)
        return false;
    struct lead lead = read_lead(cursor->at[0]);
    size_t count;

    skip_bytes(cursor, 1);
    switch (lead.shape) {
    case SCALAR: return skip_bytes(cursor, lead.follow);
    case BLOB: return read_count(cursor, lead, &count) && skip_bytes(cursor, count);
    case ARRAY:
    case MAP:
        return read_count(cursor, lead, &count) &&
               scan_elements(cursor, count, lead.shape == MAP, depth + 1);
    case REFUSED: break;
    }
    return false;
}

int wire_scan(const void *header, size_t size)
{
    if (size == 0 || size > WIRE_HEADER_MAX)
        return -1;
    struct scan_cursor cursor = {header, size};
    if (read_lead(cursor.at[0]).shape != MAP)
        return -1;
    return scan_value(&cursor, 0) && cursor.left == 0 ? 0 : -1;
}
