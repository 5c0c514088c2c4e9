/* Text for a terminal. */
#include "client/cli/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static bool turns_direction(wchar_t c)
{
    return (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

char *text_clean(const char *text, int *width)
{
    size_t left = strlen(text);
    char *clean = malloc(4 * left + 1), *out = clean;
    mbstate_t state = {0};
    if (!clean) {
        fputs("foreshock: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    *width = 0;
    while (left > 0) {
        wchar_t c;
        size_t length = mbrtowc(&c, text, left, &state);
        if (length <= left && iswprint((wint_t)c) && wcwidth(c) >= 0 && !turns_direction(c)) {
            memcpy(out, text, length);
            out += length;
            *width += wcwidth(c);
        } else {
            length = 1;
            memset(&state, 0, sizeof state);
            out += sprintf(out, "\\x%02X", (unsigned char)*text);
            *width += 4;
        }
        text += length;
        left -= length;
    }
    *out = '\0';
    return clean;
}

void text_complain(const char *format, ...)
{
    char text[2048];
    int width;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *clean = text_clean(text, &width);
    fprintf(stderr, "foreshock: %s\n", clean);
    free(clean);
}

const char *text_ago(double when, char *buffer, size_t size)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    double age = (double)time(NULL) - when;
    size_t i = 0;
    if (when <= 0)
        return "-";
    if (age < 0)
        age = 0;
    while (i < 3 && age < 2 * units[i].seconds)
        i++;
    snprintf(buffer, size, "%.0f %s ago", age / units[i].seconds, units[i].name);
    return buffer;
}

bool text_coloured(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && no[0]);
}
