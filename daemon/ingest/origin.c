/* Reads the credentials of a Unix socket out of ZeroMQ's message property; see origin.h. */
#include "daemon/ingest/origin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

struct origin origin_parse(const char *peer_address)
{
    static const char prefix[] = "localhost:";
    struct origin origin = {ORIGIN_UNKNOWN, ORIGIN_UNKNOWN};
    unsigned uid, gid;
    int pid, end = 0;

    if (!peer_address || strncmp(peer_address, prefix, sizeof prefix - 1) != 0 ||
        sscanf(peer_address + sizeof prefix - 1, "%u:%u:%d%n", &uid, &gid, &pid, &end) != 3 ||
        peer_address[sizeof prefix - 1 + (size_t)end] != '\0')
        return origin;
    origin.uid = uid;
    if (pid > 0)
        origin.pid = pid;
    return origin;
}

struct origin origin_of(zmq_msg_t *frame)
{
    return origin_parse(zmq_msg_gets(frame, "Peer-Address"));
}

bool origin_has_exited(const struct origin *origin)
{
    return origin->pid > 0 && kill((pid_t)origin->pid, 0) != 0 && errno == ESRCH;
}
