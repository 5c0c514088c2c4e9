/* The admin token; see token.h. */
#include "daemon/config/token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* A new file takes the place of the old one, whatever its mode was. */
static int write_token_file(const char *path, const char *token)
{
    char temporary[PATH_MAX + 8];
    ssize_t written;
    int fd;

    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    written = write(fd, token, strlen(token));
    if (close(fd) != 0 || written != (ssize_t)strlen(token))
        return -1;
    return rename(temporary, path);
}

int token_make(const char *state_dir, char token[TOKEN_SIZE], struct error *error)
{
    unsigned char bytes[(TOKEN_SIZE - 1) / 2];
    char path[PATH_MAX];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return error_set(error, "admin token: no randomness to be had: %s", strerror(errno));
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - 32, state_dir, TOKEN_FILE);
    if (write_token_file(path, token) == 0)
        return 0;
    return error_set(error, "admin token: %s cannot be written: %s", path, strerror(errno));
}
