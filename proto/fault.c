/* Faults sent to clients; see fault.h. */
#include "proto/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/names.h"

int fault_set(struct wire_fault *fault, enum wire_code code, enum wire_type about,
    const char *field, const char *expected, const char *value, ...)
{
    char text[512];
    va_list args;

    va_start(args, value);
    vsnprintf(text, sizeof text, value, args);
    va_end(args);
    fault->code = code;
    snprintf(fault->field, sizeof fault->field, "%s", field);
    snprintf(fault->expected, sizeof fault->expected, "%s", expected);
    snprintf(fault->about, sizeof fault->about, "%s", wire_type_name(about));
    names_clean(fault->value, sizeof fault->value, (struct wire_str){text, strlen(text)});
    return -1;
}
