/* Pairs of bound sockets; see bindings.h. */
#include "daemon/ingest/bindings.h"

#include <stdio.h>
#include <string.h>

#include "daemon/ingest/ipc_path.h"

static struct router *bind_one(
    struct bindings *bindings, const char *endpoint, bool control, struct error *error)
{
    struct router_options options = {
        .endpoint = endpoint,
        .receive_hwm = control ? LIMIT_CONTROL_HWM : LIMIT_TENSOR_HWM,
        .frame_max = control ? LIMIT_CONTROL_FRAME : LIMIT_TENSOR_FRAME,
        .receive = control ? bindings->on_control : bindings->on_tensors,
        .ctx = bindings->ctx,
    };

    if (ipc_path_prepare(endpoint, error) != 0)
        return NULL;
    return router_new(bindings->loop, bindings->zmq, &options, error);
}

static int bind_pair(struct bindings *bindings, const char *endpoint, struct error *error)
{
    struct bindings_pair *pair = &bindings->pairs[bindings->count];
    char tensors[256];

    if (strncmp(endpoint, "tcp://", 6) == 0)
        snprintf(
            tensors, sizeof tensors, "%.*s:*", (int)(strrchr(endpoint, ':') - endpoint), endpoint);
    else
        snprintf(tensors, sizeof tensors, "%s.tensors", endpoint);
    pair->control = bind_one(bindings, endpoint, true, error);
    if (!pair->control)
        return -1;
    pair->tensors = bind_one(bindings, tensors, false, error);
    if (!pair->tensors) {
        router_close(pair->control);
        return -1;
    }
    bindings->count++;
    return 0;
}

int bindings_open(struct bindings *bindings, const char *const *endpoints, size_t endpoint_count,
    struct error *error)
{
    bindings->zmq = zmq_ctx_new();
    if (!bindings->zmq)
        return error_set(error, "memory is short");
    for (size_t i = 0; i < endpoint_count; i++) {
        if (bind_pair(bindings, endpoints[i], error) != 0) {
            bindings_close(bindings);
            return -1;
        }
    }
    return 0;
}

void bindings_close(struct bindings *bindings)
{
    for (size_t i = 0; i < bindings->count; i++) {
        router_close(bindings->pairs[i].control);
        router_close(bindings->pairs[i].tensors);
    }
    zmq_ctx_term(bindings->zmq);
}

const char *bindings_endpoint(const struct bindings *bindings, size_t n)
{
    return n < bindings->count ? router_endpoint(bindings->pairs[n].control) : NULL;
}

static const struct router *tensors_beside(
    const struct bindings *bindings, const struct router *control)
{
    for (size_t i = 0; i < bindings->count; i++)
        if (bindings->pairs[i].control == control)
            return bindings->pairs[i].tensors;
    return NULL;
}

void bindings_tensor_endpoint(
    const struct bindings *bindings, const struct router *control, char *out, size_t size)
{
    const char *endpoint = router_endpoint(tensors_beside(bindings, control));

    if (strncmp(endpoint, "tcp://", 6) == 0)
        snprintf(out, size, "%s", strrchr(endpoint, ':'));
    else
        snprintf(out, size, "%s", endpoint);
}
