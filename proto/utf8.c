/* See utf8.h. */
#include "proto/utf8.h"

#include <stdbool.h>

/* By its first byte; 0: no character begins so. */
static size_t length_by_lead(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC0)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0)
        return 3;
    return lead < 0xF8 ? 4 : 0;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t utf8_next(const char *text, size_t size, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text[0];
    size_t length = length_by_lead(lead);

    if (length == 0 || length > size)
        return 0;
    uint32_t number = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(text[i]))
            return 0;
        number = number << 6 | ((unsigned char)text[i] & 0x3Fu);
    }
    if (number < smallest[length] || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF))
        return 0;
    *character = number;
    return length;
}

size_t utf8_whole(const char *text, size_t size)
{
    size_t start = size;

    while (start > 0 && is_continuation(text[start - 1]))
        start--;
    if (start == 0)
        return size;
    return size - (start - 1) < length_by_lead((unsigned char)text[start - 1]) ? start - 1 : size;
}
