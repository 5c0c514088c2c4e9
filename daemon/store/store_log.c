/* Lines for the log; see store_log.h. */
#include "daemon/store/store_log.h"

#include <stdarg.h>
#include <stdio.h>

void store_log(const struct store_options *options, bool error, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (options->log)
        options->log(options->log_ctx, error, text);
    else
        fprintf(stderr, "%s\n", text);
}
