/* Intake: what becomes of the pieces of tensors. A tensor is refused, thrown away, or begun in room that was granted or is
 * free; a piece that does not fit costs its tensor, nothing else. Loop thread only. */
#ifndef FORESHOCK_INGEST_INTAKE_H
#define FORESHOCK_INGEST_INTAKE_H

#include <zmq.h>

#include "daemon/ingest/credit.h"
#include "daemon/ingest/ops.h"
#include "daemon/ingest/peers.h"

struct intake {
    const struct ingest_ops *ops;
    struct credit *credit;
    const struct reading_clock *clock;
    struct stats *stats;
    uint64_t tensor_bytes;
    uint64_t piece_ms; /* in which the next piece of a tensor must arrive */
};

/* One piece of a tensor. `payload` is moved out when it is kept. */
void intake_piece(
    struct intake *intake, struct peer *peer, const struct wire_tensor *header, zmq_msg_t *payload);

/* At every tick: a tensor whose pieces stopped coming is dropped. */
void intake_expire(struct intake *intake, struct peer *peer);

/* Lets go of half a tensor and of all requests for room: the peer has reconnected, or goes. */
void intake_forget(struct intake *intake, struct peer *peer);

#endif
