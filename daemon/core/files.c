/* The limit of open files, and an accept() that keeps within it; see files.h. */
#include "daemon/core/files.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/core/log.h"

#define FILES_A_SESSION 2u /* a control and a tensor connection */
#define FILES_PAUSE_MS  10u

static _Atomic int files_max = -1; /* a connection's descriptor stays below; -1: not guarded */
static _Atomic int files_exempted = -1;
static _Atomic(_Atomic uint64_t *) files_refused;

static uint64_t open_files_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* A process may raise its own limit up to the hard one. */
static uint64_t raise_limit(uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return open_files_limit();
}

int files_guard(uint32_t *sessions, _Atomic uint64_t *refused, struct error *error)
{
    uint64_t wanted = LIMIT_FILES_RESERVED + FILES_A_SESSION * *sessions;
    uint64_t limit = raise_limit(wanted), fit;

    if (limit > wanted)
        limit = wanted;
    if (limit < LIMIT_FILES_RESERVED + FILES_A_SESSION)
        return error_set(error,
            "the limit of open files is %llu, expected more than %u (ulimit -n, LimitNOFILE=)",
            (unsigned long long)open_files_limit(), LIMIT_FILES_RESERVED);
    fit = (limit - LIMIT_FILES_RESERVED) / FILES_A_SESSION;
    atomic_store(&files_refused, refused);
    /* Descriptors are given lowest first: a quarter of the reserve, what the daemon holds from its start, lies below. */
    atomic_store(&files_max, (int)(limit - LIMIT_FILES_RESERVED * 3 / 4));
    if (fit < *sessions)
        log_warning("fewer sessions than limits.sessions: the limit of open files allows no more",
            LOG_INT("limits.sessions", *sessions), LOG_INT("sessions", fit),
            LOG_INT("files", open_files_limit()));
    *sessions = (uint32_t)fit;
    return 0;
}

void files_exempt(int listening)
{
    atomic_store(&files_exempted, listening);
}

/* What libzmq takes as a connection that has gone away again. */
static int refuse_connection(int connection)
{
    _Atomic uint64_t *refused = atomic_load(&files_refused);

    if (connection >= 0)
        close(connection);
    if (refused)
        atomic_fetch_add_explicit(refused, 1, memory_order_relaxed);
    errno = ECONNABORTED;
    return -1;
}

static int guarded_accept(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    int connection = (int)syscall(SYS_accept4, fd, address, size, flags);
    int max = atomic_load(&files_max);

    if (max < 0 || fd == atomic_load(&files_exempted))
        return connection;
    if (connection >= 0 && connection < max)
        return connection;
    if (connection < 0 && errno != EMFILE && errno != ENFILE)
        return connection;
    if (connection < 0)
        clock_sleep_ms(
            FILES_PAUSE_MS); /* who waits stays in line, and would be seen again at once */
    return refuse_connection(connection);
}

/* These take the place of the C library's for every library of the process. */
__attribute__((visibility("default"))) int accept4(
    int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return guarded_accept(fd, address, size, flags);
}

__attribute__((visibility("default"))) int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return guarded_accept(fd, address, size, 0);
}

void files_log_refused(_Atomic uint64_t *refused)
{
    static struct log_limit limit = LOG_LIMIT(1);
    static uint64_t logged;
    uint64_t now = atomic_load(refused);

    if (now != logged)
        log_limited(&limit, LOG_LEVEL_WARNING,
            "connections are closed at once: the limit of open files is reached",
            LOG_INT("refused", now), LOG_INT("files", open_files_limit()));
    logged = now;
}
