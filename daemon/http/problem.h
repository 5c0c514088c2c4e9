/* What went wrong with a request, in the words of RFC 9457. Plain value; texts are UTF-8, cut to
 * fit. */
#ifndef FORESHOCK_HTTP_PROBLEM_H
#define FORESHOCK_HTTP_PROBLEM_H

#include "daemon/http/emitter.h"

struct problem {
    unsigned status; /* 0: none */
    char detail[512];
    char parameter[64]; /* "": none, and then value and expected do not count */
    char value[128];
    char expected[256];
    unsigned retry_after_seconds; /* 0: the client is not asked to come back */
};

/* Both return -1, so that a check can end with them. */
int problem_set(struct problem *problem, unsigned status, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
int problem_parameter(struct problem *problem, unsigned status, const char *parameter,
    const char *value, const char *expected, ...) __attribute__((format(printf, 5, 6)));

const char *problem_title(unsigned status);
void problem_write(const struct problem *problem, struct emitter *json);

#endif
