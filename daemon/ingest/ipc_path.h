/* The path of an ipc endpoint before ZeroMQ binds it, which removes whatever is there. */
#ifndef FORESHOCK_INGEST_IPC_PATH_H
#define FORESHOCK_INGEST_IPC_PATH_H

#include "daemon/core/error.h"

/* Makes the folder of the default endpoint, and sees that nothing lies at the path but a socket that this user left and that
 * nobody listens on. 0, also for endpoints that are not ipc; else -1, `error` tells the endpoint and the reason, and what lies
 * there is untouched. */
int ipc_path_prepare(const char *endpoint, struct error *error);

#endif
