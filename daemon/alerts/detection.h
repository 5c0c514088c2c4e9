/* Which detectors serve which rule: a rule may have several. */
#ifndef FORESHOCK_ALERTS_DETECTION_H
#define FORESHOCK_ALERTS_DETECTION_H

#include "daemon/alerts/rules.h"
#include "daemon/detectors/detector.h"

struct detection {
    enum alert_rule rule;
    const struct detector *detector;
};

/* A detector of the run comes after the one whose findings it is given (shared_by). */
#define DETECTION_COUNT 16
extern const struct detection detection_table[DETECTION_COUNT];

#endif
