/* Making and locking the state directory. */
#include "daemon/store/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/store.h"

/* mkdir -p, each new folder with mode 0700. `path` is written to and restored. */
static int make_path(char *path)
{
    for (char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
        *end = '\0';
        int rc = mkdir(path, 0700);
        *end = '/';
        if (rc && errno != EEXIST)
            return -1;
    }
    return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

static int unusable(const char *path, const char *what, char *err)
{
    snprintf(err, STORE_ERROR_MAX, "state directory %s: %s: %s", path, what, strerror(errno));
    return STORE_UNUSABLE;
}

static int take_lock(struct statedir *dir, char *err)
{
    char text[32] = "";
    bool taken = flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (!taken && errno != EWOULDBLOCK)
        return unusable(dir->path, "the file `lock` cannot be locked", err);
    ssize_t length = pread(dir->lock_fd, text, sizeof text - 1, 0);
    long pid = length > 0 ? strtol(text, NULL, 10) : 0;
    if (!taken && pid > 0)
        snprintf(
            err, STORE_ERROR_MAX, "state directory %s is in use by process %ld", dir->path, pid);
    else if (!taken)
        snprintf(
            err, STORE_ERROR_MAX, "state directory %s is in use by another process", dir->path);
    if (!taken)
        return STORE_IN_USE;
    dir->unclean = length > 0;
    length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(dir->lock_fd, 0) || pwrite(dir->lock_fd, text, (size_t)length, 0) != length)
        return unusable(dir->path, "the file `lock` cannot be written", err);
    return STORE_OK;
}

int statedir_open(struct statedir *dir, const char *path, char *err)
{
    *dir = (struct statedir){.path = strdup(path), .lock_fd = -1, .baselines_fd = -1};
    if (!dir->path)
        return unusable(path, "memory is short", err);
    if (make_path(dir->path))
        return unusable(path, "cannot be made", err);
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return unusable(path, "cannot be opened", err);

    int rc = STORE_OK;
    dir->lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        rc = unusable(path, "the file `lock` cannot be written", err);
    if (rc == STORE_OK)
        rc = take_lock(dir, err);
    if (rc == STORE_OK && mkdirat(dir_fd, "baselines", 0700) && errno != EEXIST)
        rc = unusable(path, "the folder `baselines` cannot be made", err);
    if (rc == STORE_OK) {
        dir->baselines_fd = openat(dir_fd, "baselines", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir->baselines_fd < 0)
            rc = unusable(path, "the folder `baselines` cannot be opened", err);
    }
    close(dir_fd);
    return rc;
}

void statedir_close(struct statedir *dir, bool clean)
{
    if (dir->baselines_fd >= 0)
        close(dir->baselines_fd);
    if (dir->lock_fd >= 0) {
        if (clean && ftruncate(dir->lock_fd, 0))
            perror(dir->path); /* costs the next start a check of the database, no more */
        close(dir->lock_fd);
    }
    free(dir->path);
    *dir = (struct statedir){.lock_fd = -1, .baselines_fd = -1};
}

char *statedir_file(const char *state_dir, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", state_dir, name) < 0 ? NULL : path;
}
