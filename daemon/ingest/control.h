/* Messages of a session's control socket after its hello: each renews the lease, and most go on to `ops`. Loop thread only. */
#ifndef FORESHOCK_INGEST_CONTROL_H
#define FORESHOCK_INGEST_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ingest/credit.h"
#include "daemon/ingest/intake.h"
#include "daemon/ingest/ops.h"
#include "daemon/ingest/peers.h"

struct control {
    const struct ingest_ops *ops;
    struct credit *credit;
    struct intake *intake;
    uint64_t tensor_bytes; /* the most that one tensor may have */
};

/* A message that cannot be taken is answered with its fault. After a bye the peer is gone. */
void control_receive(
    const struct control *control, struct peer *peer, const struct wire_message *message);

/* A flush, which comes on both sockets: `ops` get it when it has come on the second. */
void control_receive_flush(
    const struct control *control, struct peer *peer, uint64_t token, bool on_control);

#endif
