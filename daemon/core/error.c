/* Texts of errors; see error.h. */
#include "daemon/core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return -1;
}

int error_at(struct error *error, const char *format, ...)
{
    char place[ERROR_MAX], text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(place, sizeof place, format, arguments);
    va_end(arguments);
    memcpy(text, error->text, sizeof text);
    return error_set(error, "%.*s: %.*s", ERROR_MAX / 2, place, ERROR_MAX - 1, text);
}
