/* An alert as the message that a training gets. */
#ifndef FORESHOCK_EVALUATOR_TRAINING_MESSAGE_H
#define FORESHOCK_EVALUATOR_TRAINING_MESSAGE_H

#include "daemon/core/alert_record.h"
#include "proto/wire.h"

/* The message points into `layers` and into the record: it lives as long as both and must not be copied. */
struct training_message {
    struct wire_str layers[ALERT_LAYERS_MAX];
    struct wire_alert wire;
};

void training_message_make(
    struct training_message *message, const struct alert_record *record, bool recorded);

#endif
