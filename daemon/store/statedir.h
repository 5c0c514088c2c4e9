/* The state directory: made if missing, locked for one daemon. It and what the daemon opens in it must belong to the
 * daemon's user: a directory that others may write to, a link, a file with a second name or of another kind is refused and
 * left as it is, since what lies behind it may be somebody's. */
#ifndef FORESHOCK_STORE_STATEDIR_H
#define FORESHOCK_STORE_STATEDIR_H

#include <stdbool.h>

#include "daemon/core/error.h"

struct statedir {
    char *path;
    int fd;           /* the directory */
    int lock_fd;      /* holds the lock, and this process's id as text */
    int baselines_fd; /* the folder baselines/ */
    bool unclean;     /* the last holder of the lock did not close it */
};

#define STATEDIR_DATABASE "foreshock.db"
#define STATEDIR_CLOSED   ((struct statedir){.fd = -1, .lock_fd = -1, .baselines_fd = -1})

/* Makes what is missing (mode 0700), checks what is there, and takes the lock. STORE_OK, STORE_IN_USE or STORE_UNUSABLE
 * and `error`. */
int statedir_open(struct statedir *dir, const char *path, struct error *error);
/* `clean`: everything was closed in order. Safe after a failed statedir_open. */
void statedir_close(struct statedir *dir, bool clean);

/* Whether the file `name` in the directory is missing, or a regular file of ours alone. 0, or -1 and `error`. */
int statedir_check(const struct statedir *dir, const char *name, struct error *error);

/* `path` of a file in the directory: malloc'ed, NULL when memory is short. */
char *statedir_file(const char *state_dir, const char *name);

#endif
