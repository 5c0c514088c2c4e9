/* Texts of refused values; see unexpected.h. */
#include "daemon/config/unexpected.h"

#include <stdio.h>

int config_unexpected(struct error *error, const char *text, const char *expected)
{
    char shown[72];
    size_t n = 0;
    for (const char *c = text; *c && n < sizeof shown - 4; c++)
        shown[n++] = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    snprintf(shown + n, sizeof shown - n, "%s", text[n] ? "..." : "");
    return error_set(error, "got \"%s\", expected %s", shown, expected);
}
