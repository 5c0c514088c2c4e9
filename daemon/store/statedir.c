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

static int unusable(const char *path, const char *what, struct error *error)
{
    error_set(error, "state directory %s: %s: %s", path, what, strerror(errno));
    return STORE_UNUSABLE;
}

static int take_lock(struct statedir *dir, struct error *error)
{
    char text[32] = "";
    bool taken = flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (!taken && errno != EWOULDBLOCK)
        return unusable(dir->path, "the file `lock` cannot be locked", error);
    ssize_t length = pread(dir->lock_fd, text, sizeof text - 1, 0);
    long pid = length > 0 ? strtol(text, NULL, 10) : 0;
    if (!taken && pid > 0)
        error_set(error, "state directory %s is in use by process %ld", dir->path, pid);
    else if (!taken)
        error_set(error, "state directory %s is in use by another process", dir->path);
    if (!taken)
        return STORE_IN_USE;
    dir->unclean = length > 0;
    length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(dir->lock_fd, 0) || pwrite(dir->lock_fd, text, (size_t)length, 0) != length)
        return unusable(dir->path, "the file `lock` cannot be written", error);
    return STORE_OK;
}

/* What is wrong with a file or folder that was found, in the words of an error. NULL: nothing. */
static const char *objection(const struct stat *found, bool folder)
{
    if (S_ISLNK(found->st_mode))
        return "is a symbolic link";
    if (folder && !S_ISDIR(found->st_mode))
        return "is no folder";
    if (!folder && !S_ISREG(found->st_mode))
        return "is no regular file";
    if (found->st_uid != geteuid())
        return "belongs to another user";
    if (folder && (found->st_mode & (S_IWGRP | S_IWOTH)))
        return "may be written to by other users (chmod go-w)";
    if (!folder && found->st_nlink > 1)
        return "has a second name (a hard link)";
    return NULL;
}

static int refuse_entry(const char *path, const char *name, const char *why, struct error *error)
{
    error_set(error, "state directory %s: `%s` %s; expected one of the daemon's own, or nothing",
        path, name, why);
    return STORE_UNUSABLE;
}

/* A name in the directory that is not there is good. */
static int check_entry(
    const struct statedir *dir, const char *name, bool folder, struct error *error)
{
    struct stat found;
    if (fstatat(dir->fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        const char *why = objection(&found, folder);
        return why ? refuse_entry(dir->path, name, why, error) : STORE_OK;
    }
    if (errno == ENOENT)
        return STORE_OK;
    error_set(error, "state directory %s: `%s` cannot be looked at: %s", dir->path, name,
        strerror(errno));
    return STORE_UNUSABLE;
}

int statedir_check(const struct statedir *dir, const char *name, struct error *error)
{
    return check_entry(dir, name, false, error) == STORE_OK ? 0 : -1;
}

/* A link to the directory is good if we or the administrator have set it: another disk, systemd's /var/lib/private. */
static int open_directory(struct statedir *dir, struct error *error)
{
    struct stat link, found;
    if (make_path(dir->path))
        return unusable(dir->path, "cannot be made", error);
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0 || fstat(dir->fd, &found) || lstat(dir->path, &link))
        return unusable(dir->path, "cannot be opened", error);
    const char *why = objection(&found, true);
    if (S_ISLNK(link.st_mode) && link.st_uid != geteuid() && link.st_uid != 0)
        why = "is a symbolic link of another user";
    if (!why)
        return STORE_OK;
    error_set(error, "state directory %s: %s; expected one of the daemon's user (uid %ld) alone",
        dir->path, why, (long)geteuid());
    return STORE_UNUSABLE;
}

static int open_lock(struct statedir *dir, struct error *error)
{
    int rc = check_entry(dir, "lock", false, error);
    if (rc != STORE_OK)
        return rc;
    dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        return unusable(dir->path, "the file `lock` cannot be written", error);
    return take_lock(dir, error);
}

static int open_baselines(struct statedir *dir, struct error *error)
{
    if (mkdirat(dir->fd, "baselines", 0700) && errno != EEXIST)
        return unusable(dir->path, "the folder `baselines` cannot be made", error);
    int rc = check_entry(dir, "baselines", true, error);
    if (rc != STORE_OK)
        return rc;
    dir->baselines_fd =
        openat(dir->fd, "baselines", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir->baselines_fd < 0
               ? unusable(dir->path, "the folder `baselines` cannot be opened", error)
               : STORE_OK;
}

int statedir_open(struct statedir *dir, const char *path, struct error *error)
{
    *dir = STATEDIR_CLOSED;
    dir->path = strdup(path);
    if (!dir->path)
        return unusable(path, "memory is short", error);
    int rc = open_directory(dir, error);
    if (rc == STORE_OK)
        rc = open_lock(dir, error);
    if (rc == STORE_OK)
        rc = open_baselines(dir, error);
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
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    *dir = STATEDIR_CLOSED;
}

char *statedir_file(const char *state_dir, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", state_dir, name) < 0 ? NULL : path;
}
