/* What may lie at the path of an ipc endpoint; see ipc_path.h. */
#include "daemon/ingest/ipc_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The folder of the default endpoint, $XDG_RUNTIME_DIR/foreshock, is gone after each login: it is made, ours alone. NULL, or
 * what is wrong with one that is there. */
static const char *make_folder(const char *path)
{
    static const char ending[] = "/foreshock/ingest.sock";
    size_t length = strlen(path), tail = sizeof ending - 1;
    char folder[sizeof(struct sockaddr_un)];
    struct stat found;

    if (length <= tail || strcmp(path + length - tail, ending) != 0)
        return NULL;
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    mkdir(folder, 0700);
    if (lstat(folder, &found) != 0)
        return NULL; /* the bind tells why */
    if (!S_ISDIR(found.st_mode))
        return "its folder is a symbolic link or a file, expected a folder";
    if (found.st_uid != geteuid() && found.st_uid != 0)
        return "its folder belongs to another user";
    if (found.st_mode & S_IWOTH)
        return "its folder may be written to by everybody";
    return NULL;
}

/* Only a refused connection proves that nobody listens. */
static bool is_abandoned(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    errno = 0;
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    if (fd >= 0)
        close(fd);
    return refused;
}

int ipc_path_prepare(const char *endpoint, struct error *error)
{
    static const char scheme[] = "ipc://";
    const char *path = endpoint + sizeof scheme - 1;
    struct stat found;

    if (strncmp(endpoint, scheme, sizeof scheme - 1) != 0)
        return 0;
    const char *why = make_folder(path);
    if (why)
        return error_set(error, "ingest endpoint %s: %s", endpoint, why);
    if (lstat(path, &found) != 0)
        return 0; /* nothing, or the bind tells why */
    if (!S_ISSOCK(found.st_mode))
        return error_set(error,
            "ingest endpoint %s: something that is no socket lies there, expected nothing, or a "
            "socket that this user left",
            endpoint);
    if (found.st_uid != geteuid())
        return error_set(
            error, "ingest endpoint %s: a socket of another user lies there", endpoint);
    if (!is_abandoned(path))
        return error_set(error, "ingest endpoint %s: another process listens there", endpoint);
    return 0;
}
