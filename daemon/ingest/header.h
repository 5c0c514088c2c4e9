/* The header of a message as it came: decoded, with as many frames as its type must have. Any thread. */
#ifndef FORESHOCK_INGEST_HEADER_H
#define FORESHOCK_INGEST_HEADER_H

#include "daemon/ingest/router.h"
#include "proto/wire.h"

/* 0, and `message` borrows from the frame and is the caller's to free (wire_message_free). -1, and `fault` says what is wrong;
 * the type in it is as far as it could be read. */
int header_decode(struct router_message *m, struct wire_message *message, struct wire_fault *fault);

#endif
