/* The words of an alert: its title and a summary that a person on call understands. */
#ifndef FORESHOCK_ALERTS_WORDING_H
#define FORESHOCK_ALERTS_WORDING_H

#include "daemon/alerts/alert.h"
#include "daemon/alerts/track.h"

/* Writes title and summary of an alert whose other members stand. `layer` is the name of the most
 * affected layer, NULL for the run itself; `worst` its worst spell; `text` what the daemon said of
 * a condition. */
void alert_describe(
    struct alert *alert, const char *layer, const struct spell *worst, const char *text);

/* snprintf that cuts between UTF-8 characters, not within one. */
void wording_print(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
