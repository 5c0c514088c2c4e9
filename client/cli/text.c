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

__attribute__((format(printf, 3, 0))) static void print_clean(
    FILE *out, const char *before, const char *format, va_list args)
{
    char text[2048];
    int width;
    vsnprintf(text, sizeof text, format, args);
    char *clean = text_clean(text, &width);
    fprintf(out, "%s%s\n", before, clean);
    free(clean);
}

void text_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_clean(stderr, "foreshock: ", format, args);
    va_end(args);
}

void text_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_clean(stdout, "", format, args);
    va_end(args);
}

/* A span in its largest unit that makes at least two of it. */
static double in_unit(double span, const char **name)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    if (span < 0)
        span = 0;
    while (i < 3 && span < 2 * units[i].seconds)
        i++;
    *name = units[i].name;
    return span / units[i].seconds;
}

const char *text_ago(double when, char *buffer, size_t size)
{
    const char *unit;
    double age = in_unit((double)time(NULL) - when, &unit);
    if (when <= 0)
        return "-";
    snprintf(buffer, size, "%.0f %s ago", age, unit);
    return buffer;
}

const char *text_left(double when, char *buffer, size_t size)
{
    const char *unit;
    double left = in_unit(when - (double)time(NULL), &unit);
    if (left <= 0)
        return "now";
    snprintf(buffer, size, "in %.0f %s", left, unit);
    return buffer;
}

double text_seconds(const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9)
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text + digits, units[i].name) == 0)
            return strtod(text, NULL) * units[i].seconds;
    return 0;
}

bool text_coloured(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && no[0]);
}
