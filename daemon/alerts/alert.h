/* One alert: what a person hears, and on what evidence. A plain value that owns nothing; bounded
 * lists. */
#ifndef FORESHOCK_ALERTS_ALERT_H
#define FORESHOCK_ALERTS_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/rules.h"
#include "daemon/core/alert_record.h"
#include "daemon/detectors/evidence.h"

#define ALERT_TEXT_MAX 512

struct alert {
    enum alert_rule rule;
    enum alert_severity severity;
    enum alert_state state;
    bool observed;                                  /* every layer in it is only observed */
    int64_t id;                                     /* the caller's; 0: none yet */
    int64_t started_step, last_step, resolved_step; /* resolved_step -1: not yet */
    double started_at, last_at, resolved_at;        /* resolved_at 0: not yet */
    char title[ALERT_TITLE_MAX];
    char summary[ALERT_SUMMARY_MAX];
    int64_t layers[ALERT_LAYERS_MAX]; /* the most affected first; 0: the run itself */
    size_t layer_count;               /* in the list */
    size_t layer_total;               /* affected since it opened; the run counts as one */
    struct evidence evidence[ALERT_EVIDENCE_MAX]; /* in the order of the layers */
    size_t evidence_count;
};

enum alert_change { ALERT_CHANGE_OPENED, ALERT_CHANGE_UPDATED, ALERT_CHANGE_RESOLVED };

/* The alert is valid for the call. */
typedef void (*alert_changed_fn)(void *ctx, enum alert_change change, const struct alert *alert);

#endif
