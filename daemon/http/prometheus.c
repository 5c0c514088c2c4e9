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
    emit_append_text(text, "# HELP ");
    emit_append_text(text, name);
    emit_append_text(text, " ");
    emit_append_text(text, help);
    emit_append_text(text, "\n# TYPE ");
    emit_append_text(text, name);
    emit_append_text(text, " ");
    emit_append_text(text, type);
    emit_append_text(text, "\n");
}

static void label_value(struct emitter *text, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            emit_append(text, "\\", 1);
        if (*value == '\n')
            emit_append_text(text, "\\n");
        else
            emit_append(text, value, 1);
    }
}

static void number(struct emitter *text, double value)
{
    char digits[EMIT_NUMBER_MAX];

    if (isnan(value)) {
        emit_append_text(text, "NaN");
    } else if (isinf(value)) {
        emit_append_text(text, value > 0 ? "+Inf" : "-Inf");
    } else {
        emit_append(text, digits, emit_number(digits, value));
    }
}

void prometheus_sample(struct emitter *text, const char *name,
    const struct prometheus_label *labels, size_t count, double value)
{
    emit_append_text(text, name);
    for (size_t i = 0; i < count; i++) {
        emit_append_text(text, i ? "," : "{");
        emit_append_text(text, labels[i].name);
        emit_append_text(text, "=\"");
        label_value(text, labels[i].value);
        emit_append_text(text, "\"");
    }
    emit_append_text(text, count ? "} " : " ");
    number(text, value);
    emit_append_text(text, "\n");
}
