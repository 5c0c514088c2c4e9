/* A ROUTER socket in the libuv loop, by prepare, check and idle; see router.h. */
#include "daemon/ingest/router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/core/limits.h"

struct router {
    void *socket;
    struct router_options options;
    char endpoint[256];
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    int open_handles;
    bool closing;
};

static bool readable(struct router *router)
{
    int events = 0;
    size_t size = sizeof events;

    while (zmq_getsockopt(router->socket, ZMQ_EVENTS, &events, &size) != 0)
        if (errno != EINTR)
            return false;
    return (events & ZMQ_POLLIN) != 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    /* Only wakes the loop: the work is done in on_check. */
    (void)poll;
    (void)status;
    (void)events;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct router *router = prepare->data;

    if (readable(router))
        uv_idle_start(&router->idle, on_idle);
}

/* Reads one frame; false when there is none. */
static bool receive_frame(struct router *router, zmq_msg_t *frame)
{
    while (zmq_msg_recv(frame, router->socket, ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

/* Frames of a message that is one: ZeroMQ delivers them together, so after the first none has to be waited for. */
static bool receive_message(struct router *router, struct router_message *message, size_t *bytes)
{
    zmq_msg_t *frame = &message->identity;
    zmq_msg_t surplus;

    zmq_msg_init(&message->identity);
    zmq_msg_init(&message->header);
    zmq_msg_init(&message->payload);
    zmq_msg_init(&surplus);
    message->frames = 0;
    if (!receive_frame(router, frame))
        return false;
    while (zmq_msg_more(frame)) {
        message->frames++;
        frame = message->frames == 1   ? &message->header
                : message->frames == 2 ? &message->payload
                                       : &surplus;
        if (!receive_frame(router, frame))
            break;
        *bytes += zmq_msg_size(frame);
    }
    zmq_msg_close(&surplus);
    return true;
}

static void close_message(struct router_message *message)
{
    zmq_msg_close(&message->identity);
    zmq_msg_close(&message->header);
    zmq_msg_close(&message->payload);
}

static void on_check(uv_check_t *check)
{
    struct router *router = check->data;
    size_t bytes = 0;

    uv_idle_stop(&router->idle);
    for (size_t n = 0; n < LIMIT_TURN_MESSAGES && bytes < LIMIT_TURN_BYTES; n++) {
        struct router_message message;
        bool received = receive_message(router, &message, &bytes);

        if (received)
            router->options.receive(router->options.ctx, router, &message);
        close_message(&message);
        if (!received || router->closing)
            break;
    }
}

static int set_socket_options(struct router *router)
{
    const struct router_options *o = &router->options;
    const bool is_tcp = strncmp(o->endpoint, "tcp://", 6) == 0;
    const struct {
        int name, value;
    } ints[] = {
        {ZMQ_RCVHWM, o->receive_hwm},
        {ZMQ_SNDHWM, LIMIT_CONTROL_HWM},
        {ZMQ_LINGER, 200},         /* for the last words of a daemon that stops */
        {ZMQ_ROUTER_MANDATORY, 1}, /* so that a send to a peer that is gone says so */
        {ZMQ_ROUTER_HANDOVER, 1},  /* a client that returns with its identity takes it over */
        {ZMQ_IPV6, strchr(o->endpoint, '[') != NULL}, /* tcp://[::1] */
        {ZMQ_HANDSHAKE_IVL, 5000},
        /* Not over ipc, where the kernel tells: libzmq aborts when a heartbeat is due on a connection that broke while what
         * it brought was yet to be read. */
        {ZMQ_HEARTBEAT_IVL, is_tcp ? 5000 : 0},
        {ZMQ_HEARTBEAT_TIMEOUT, 15000},
    };

    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        if (zmq_setsockopt(router->socket, ints[i].name, &ints[i].value, sizeof ints[i].value) != 0)
            return -1;
    return zmq_setsockopt(router->socket, ZMQ_MAXMSGSIZE, &o->frame_max, sizeof o->frame_max);
}

static int bind_socket(struct router *router)
{
    size_t size = sizeof router->endpoint;
    mode_t before;
    int rc, reason;

    /* The socket file takes the umask: owner and group may connect, whatever the daemon was started under. */
    before = umask(0117);
    rc = zmq_bind(router->socket, router->options.endpoint);
    reason = errno;
    umask(before);
    errno = reason;
    return rc != 0 ? rc
                   : zmq_getsockopt(router->socket, ZMQ_LAST_ENDPOINT, router->endpoint, &size);
}

static int start_handles(uv_loop_t *loop, struct router *router)
{
    int fd;
    size_t size = sizeof fd;

    if (zmq_getsockopt(router->socket, ZMQ_FD, &fd, &size) != 0 ||
        uv_poll_init(loop, &router->poll, fd) != 0)
        return -1;
    uv_prepare_init(loop, &router->prepare);
    uv_check_init(loop, &router->check);
    uv_idle_init(loop, &router->idle);
    router->open_handles = 4;
    router->poll.data = router->prepare.data = router->check.data = router->idle.data = router;
    uv_poll_start(&router->poll, UV_READABLE, on_poll);
    uv_prepare_start(&router->prepare, on_prepare);
    uv_check_start(&router->check, on_check);
    return 0;
}

struct router *router_new(
    uv_loop_t *loop, void *zmq_context, const struct router_options *options, struct error *error)
{
    struct router *router = calloc(1, sizeof *router);

    if (!router) {
        error_set(error, "memory is short");
        return NULL;
    }
    router->options = *options;
    router->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    if (!router->socket || set_socket_options(router) != 0 || bind_socket(router) != 0 ||
        start_handles(loop, router) != 0) {
        error_set(error, "ingest endpoint %s: cannot be bound: %s", options->endpoint,
            zmq_strerror(errno));
        if (router->socket)
            zmq_close(router->socket);
        free(router);
        return NULL;
    }
    return router;
}

const char *router_endpoint(const struct router *router)
{
    return router->endpoint;
}

bool router_send(struct router *router, const void *identity, size_t identity_size,
    const void *data, size_t size)
{
    if (zmq_send(router->socket, identity, identity_size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return false;
    return zmq_send(router->socket, data, size, ZMQ_DONTWAIT) >= 0;
}

static void on_router_closed(uv_handle_t *handle)
{
    struct router *router = handle->data;

    if (--router->open_handles == 0)
        free(router);
}

void router_close(struct router *router)
{
    router->closing = true;
    uv_close(
        (uv_handle_t *)&router->poll, on_router_closed); /* stops it: the descriptor may go now */
    zmq_close(router->socket);
    uv_close((uv_handle_t *)&router->prepare, on_router_closed);
    uv_close((uv_handle_t *)&router->check, on_router_closed);
    uv_close((uv_handle_t *)&router->idle, on_router_closed);
}
