/* One notifier as it is configured: a plain value that owns nothing. Made of zeroed memory, so that
 * two can be compared byte by byte. */
#ifndef FORESHOCK_NOTIFY_SETTINGS_H
#define FORESHOCK_NOTIFY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFIER_NAME_MAX     64 /* bytes, the NUL included, as all of these */
#define NOTIFIER_URL_MAX      2048
#define NOTIFIER_PATH_MAX     512
#define NOTIFIER_BEARER_MAX   1024
#define NOTIFIER_HEADER_MAX   1024
#define NOTIFIER_HEADERS_MAX  16
#define NOTIFIER_LABELS_MAX   16
#define NOTIFIER_LABEL_MAX    256
#define NOTIFIER_RULES_MAX    2048
#define NOTIFIER_TEMPLATE_MAX (16 << 10)

enum notifier_kind { NOTIFIER_NO_KIND, NOTIFIER_ALERTMANAGER, NOTIFIER_WEBHOOK };

struct notifier_settings {
    char name[NOTIFIER_NAME_MAX];
    enum notifier_kind kind;
    char url[NOTIFIER_URL_MAX];          /* http or https */
    char external_url[NOTIFIER_URL_MAX]; /* where people reach the daemon's page; "": nowhere */
    char ca_file[NOTIFIER_PATH_MAX];     /* "": the system's */
    char bearer[NOTIFIER_BEARER_MAX];    /* "": none */
    char headers[NOTIFIER_HEADERS_MAX][NOTIFIER_HEADER_MAX]; /* NAME: VALUE */
    size_t header_count;
    uint32_t timeout_seconds; /* of a request as a whole */
    bool critical_only;
    char rules[NOTIFIER_RULES_MAX]; /* ",nonfinite,run_lost,"; "": all */
    /* Alertmanager: labels beside its own, and how often what fires is sent again. */
    struct notifier_label {
        char name[NOTIFIER_LABEL_MAX], value[NOTIFIER_LABEL_MAX];
    } labels[NOTIFIER_LABELS_MAX];
    size_t label_count;
    uint32_t resend_seconds;
    /* Webhook: "": the documented object. */
    char template[NOTIFIER_TEMPLATE_MAX];
};

#endif
