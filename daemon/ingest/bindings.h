/* The bound sockets: for each endpoint one for control messages and one for tensors beside it, which is an ipc path of its own
 * or another port on the same host. Loop thread only. */
#ifndef FORESHOCK_INGEST_BINDINGS_H
#define FORESHOCK_INGEST_BINDINGS_H

#include "daemon/core/error.h"
#include "daemon/core/limits.h"
#include "daemon/ingest/router.h"

struct bindings_pair {
    struct router *control, *tensors;
};

/* Whoever makes it fills `loop`, the two receivers (router.h) and their `ctx`. */
struct bindings {
    uv_loop_t *loop;
    void (*on_control)(void *ctx, struct router *router, struct router_message *message);
    void (*on_tensors)(void *ctx, struct router *router, struct router_message *message);
    void *ctx;
    void *zmq;
    struct bindings_pair pairs[LIMIT_ENDPOINTS];
    size_t count;
};

/* Binds every endpoint. 0; or -1, nothing is bound, and `error` says which could not be and why. */
int bindings_open(struct bindings *bindings, const char *const *endpoints, size_t endpoint_count,
    struct error *error);

/* The sockets go with the loop's next turn. */
void bindings_close(struct bindings *bindings);

/* The n-th control endpoint as bound, or NULL. */
const char *bindings_endpoint(const struct bindings *bindings, size_t n);

/* What a client of this control socket is told of the tensor socket beside it: an ipc endpoint, or `:` and a port. */
void bindings_tensor_endpoint(
    const struct bindings *bindings, const struct router *control, char *out, size_t size);

#endif
