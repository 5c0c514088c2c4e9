/* Lines of the Prometheus text format. */
#include "daemon/http/prometheus.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

void prometheus_name(char name[PROMETHEUS_NAME_MAX], const char *metric)
{
    static const char prefix[] = "foreshock_";
    size_t used = sizeof prefix - 1;

    memcpy(name, prefix, used);
    for (; *metric && used < PROMETHEUS_NAME_MAX - 1; metric++)
        name[used++] =
            isalnum((unsigned char)*metric) && (unsigned char)*metric < 0x80 ? *metric : '_';
    name[used] = '\0';
}

void prometheus_family(struct emitter *text, const char *name, const char *type, const char *help)
{
    emitter_append_text(text, "# HELP ");
    emitter_append_text(text, name);
    emitter_append_text(text, " ");
    emitter_append_text(text, help);
    emitter_append_text(text, "\n# TYPE ");
    emitter_append_text(text, name);
    emitter_append_text(text, " ");
    emitter_append_text(text, type);
    emitter_append_text(text, "\n");
}

static void label_value(struct emitter *text, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            emitter_append(text, "\\", 1);
        if (*value == '\n')
            emitter_append_text(text, "\\n");
        else
            emitter_append(text, value, 1);
    }
}

static void number(struct emitter *text, double value)
{
    char digits[EMITTER_NUMBER_MAX];

    if (isnan(value)) {
        emitter_append_text(text, "NaN");
    } else if (isinf(value)) {
        emitter_append_text(text, value > 0 ? "+Inf" : "-Inf");
    } else {
        emitter_append(text, digits, emitter_number(digits, value));
    }
}

void prometheus_sample(struct emitter *text, const char *name,
    const struct prometheus_label *labels, size_t count, double value)
{
    emitter_append_text(text, name);
    for (size_t i = 0; i < count; i++) {
        emitter_append_text(text, i ? "," : "{");
        emitter_append_text(text, labels[i].name);
        emitter_append_text(text, "=\"");
        label_value(text, labels[i].value);
        emitter_append_text(text, "\"");
    }
    emitter_append_text(text, count ? "} " : " ");
    number(text, value);
    emitter_append_text(text, "\n");
}
