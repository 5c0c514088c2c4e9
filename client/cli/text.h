/* Text for a terminal: cleaned of what could steer it, measured in columns, and the shapes of
 * numbers and times. */
#ifndef FORESHOCK_CLIENT_CLI_TEXT_H
#define FORESHOCK_CLIENT_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A malloced copy in which control characters, characters that turn the direction of text, and
 * bytes that are none of the locale's text show as \xNN; `*width` gets its width in columns. Ends
 * the process when memory is short. */
char *text_clean(const char *text, int *width);

/* Prints the cleaned `text` and a newline to stderr, with `foreshock: ` before it; printf-like. */
__attribute__((format(printf, 1, 2))) void text_complain(const char *format, ...);

/* The same to stdout, without anything before it. */
__attribute__((format(printf, 1, 2))) void text_say(const char *format, ...);

/* "12 s ago", "3 h ago"; "-" for a time that is not there (0 or less). */
const char *text_ago(double time, char *buffer, size_t size);

/* "in 12 s"; "now" for a time that is past. */
const char *text_left(double time, char *buffer, size_t size);

/* Seconds of a text such as 90s, 30m, 2h or 7d; 0 if it is none. */
double text_seconds(const char *text);

/* Whether stdout takes colours: a terminal, and NO_COLOR is not set. */
bool text_coloured(void);

#endif
