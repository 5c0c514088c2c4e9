/* Who stands at the other end of a connection, as the kernel tells it: the user and the process of a Unix socket.
 *
 * A client cannot choose it. Over TCP nobody is known. */
#ifndef FORESHOCK_INGEST_ORIGIN_H
#define FORESHOCK_INGEST_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#define ORIGIN_UNKNOWN (-1)

struct origin {
    int64_t uid; /* ORIGIN_UNKNOWN: TCP. Those that the daemon's namespace does not map are one */
    int64_t pid; /* ORIGIN_UNKNOWN: TCP, or a process that its process namespace does not show */
};

/* Of the connection that a frame came on; not an identity, to which a ROUTER does not always attach it. */
struct origin origin_of(zmq_msg_t *frame);

/* The same for ZeroMQ's text of it, "localhost:UID:GID:PID" on a Unix socket; NULL: none. */
struct origin origin_parse(const char *peer_address);

/* Whether the process is known to be gone. */
bool origin_has_exited(const struct origin *origin);

#endif
