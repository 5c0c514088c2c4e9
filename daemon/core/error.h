/* Why something failed, as one line for a person: what, where, what was found and what was expected.
 *
 * A function that can fail for such a reason takes a `struct error *` last, returns -1 (or NULL) and has filled it. The
 * error belongs to the caller and is a plain value. What goes back to a client over the wire is a `struct wire_fault`. */
#ifndef FORESHOCK_CORE_ERROR_H
#define FORESHOCK_CORE_ERROR_H

#define ERROR_MAX 1024 /* bytes of the text, its NUL included; what is longer is cut */

struct error {
    char text[ERROR_MAX];
};

/* Writes the text. Returns -1, so that a check can end with it. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts the place before the text that is there: "PLACE: TEXT". Returns -1. */
int error_at(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
