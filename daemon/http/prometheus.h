/* The Prometheus text format, and what a figure is called in it. Pure. */
#ifndef FORESHOCK_HTTP_PROMETHEUS_H
#define FORESHOCK_HTTP_PROMETHEUS_H

#include <stddef.h>

#include "daemon/http/emitter.h"

enum { PROMETHEUS_NAME_MAX = 96 };

/* `foreshock_` and the metric, what a name cannot hold turned to '_'. */
void prometheus_name(char name[PROMETHEUS_NAME_MAX], const char *metric);

/* # HELP and # TYPE, before the samples of a family. */
void prometheus_family(struct emitter *text, const char *name, const char *type, const char *help);

struct prometheus_label {
    const char *name, *value;
};

/* One sample line; NaN and infinities are written as the format has them. */
void prometheus_sample(struct emitter *text, const char *name,
    const struct prometheus_label *labels, size_t count, double value);

#endif
