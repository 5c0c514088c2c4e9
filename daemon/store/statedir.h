/* The state directory: made if missing, locked for one daemon. */
#ifndef FORESHOCK_STORE_STATEDIR_H
#define FORESHOCK_STORE_STATEDIR_H

#include <stdbool.h>

struct statedir {
    char *path;
    int lock_fd;      /* holds the lock, and this process's id as text */
    int baselines_fd; /* the folder baselines/ */
    bool unclean;     /* the last holder of the lock did not close it */
};

/* Makes what is missing (mode 0700) and takes the lock. STORE_OK, STORE_IN_USE or STORE_UNUSABLE
 * and `err`. */
int statedir_open(struct statedir *dir, const char *path, char *err);
/* `clean`: everything was closed in order. Safe after a failed statedir_open. */
void statedir_close(struct statedir *dir, bool clean);

/* `path` of a file in the directory: malloc'ed, NULL when memory is short. */
char *statedir_file(const char *state_dir, const char *name);

#endif
