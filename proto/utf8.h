/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef FORESHOCK_PROTO_UTF8_H
#define FORESHOCK_PROTO_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the character at the head of `size` bytes, size > 0, and its number; 0: they are not UTF-8. */
size_t utf8_next(const char *text, size_t size, uint32_t *character);

/* The length of `text` without a last character that was cut within, when it was cut at `size` bytes. */
size_t utf8_whole(const char *text, size_t size);

#endif
