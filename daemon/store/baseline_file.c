/* Baseline files: written whole or not at all, checked before they are mapped. */
#include "daemon/store/baseline_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "daemon/store/sql.h"

void baseline_file_name(
    char name[BASELINE_FILE_NAME_MAX], int64_t layer, uint32_t attempt, int64_t step)
{
    snprintf(name, BASELINE_FILE_NAME_MAX, "%" PRId64 "-%" PRIu32 "-%" PRId64 ".w0", layer, attempt,
        step);
}

static int fail_with_errno(const char *name, const char *what, struct error *error)
{
    return error_set(error, "baseline %s: %s: %s", name, what, strerror(errno));
}

static int write_at(int fd, const unsigned char *data, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote = pwrite(fd, data + done, bytes - done, (off_t)(offset + done));
        if (wrote < 0 && errno != EINTR)
            return -1;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static int write_parts(int fd, const struct baseline_part *parts, size_t count)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (write_at(fd, parts[i].data, parts[i].size, offset))
            return -1;
        offset += parts[i].size;
    }
    return 0;
}

/* That of the parts as one. */
static int checksum_of(const struct baseline_part *parts, size_t count, uint64_t *checksum)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) {
        errno = ENOMEM;
        return -1;
    }
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < count; i++)
        XXH3_64bits_update(state, parts[i].data, parts[i].size);
    *checksum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return 0;
}

int baseline_file_write(int folder, const struct disk *disk, struct baseline_row *row,
    const struct baseline_part *parts, size_t count, struct error *error)
{
    char name[BASELINE_FILE_NAME_MAX], partial[BASELINE_FILE_NAME_MAX + 4];
    baseline_file_name(name, row->layer, row->attempt, row->step);
    if (!disk_has_room(disk, row->bytes)) {
        error_set(error,
            "baseline %s is not written: its %" PRIu64
            " bytes would leave the disk less than retention.disk_free_min",
            name, row->bytes);
        return BASELINE_NO_ROOM;
    }
    snprintf(partial, sizeof partial, "%s.tmp", name);
    unlinkat(folder, partial, 0); /* of a write that failed; a link is not followed */
    int fd = openat(folder, partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_with_errno(partial, "cannot be made", error);
    int rc = write_parts(fd, parts, count) || checksum_of(parts, count, &row->checksum) || fsync(fd)
                 ? fail_with_errno(partial, "cannot be written", error)
                 : 0;
    if (close(fd) && rc == 0)
        rc = fail_with_errno(partial, "cannot be written", error);
    if (rc == 0 && (renameat(folder, partial, folder, name) || fsync(folder)))
        rc = fail_with_errno(name, "cannot be put in its place", error);
    if (rc)
        unlinkat(folder, partial, 0);
    return rc;
}

/* Maps the file when it has the expected length. */
static void *map_whole_file(int folder, const char *name, uint64_t bytes, struct error *error)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat found;
    void *map = NULL;
    if (fd < 0) {
        fail_with_errno(name, "cannot be opened", error);
        return NULL;
    }
    if (fstat(fd, &found)) {
        fail_with_errno(name, "cannot be read", error);
    } else if (bytes == 0 || (uint64_t)found.st_size != bytes) {
        error_set(error, "baseline %s is torn: it has %jd bytes, expected %" PRIu64, name,
            (intmax_t)found.st_size, bytes);
    } else {
        map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            fail_with_errno(name, "cannot be mapped", error);
            map = NULL;
        }
    }
    close(fd);
    return map;
}

const void *baseline_file_map(int folder, const struct baseline_row *row, struct error *error)
{
    char name[BASELINE_FILE_NAME_MAX];
    baseline_file_name(name, row->layer, row->attempt, row->step);
    void *map = map_whole_file(folder, name, row->bytes, error);
    if (!map)
        return NULL;
    uint64_t checksum = XXH3_64bits(map, (size_t)row->bytes);
    if (checksum == row->checksum)
        return map;
    error_set(error, "baseline %s is torn: its checksum is %016" PRIx64 ", expected %016" PRIx64,
        name, checksum, row->checksum);
    munmap(map, (size_t)row->bytes);
    return NULL;
}

void baseline_file_unmap(const void *map, uint64_t bytes)
{
    if (map)
        munmap((void *)(uintptr_t)map, (size_t)bytes);
}

/* Whether a file named `name` is one of ours that nothing needs. Whatever else lies there is somebody's. */
static bool is_orphan(const char *name, sqlite3_stmt *row_exists)
{
    char expected[BASELINE_FILE_NAME_MAX];
    int64_t layer, step;
    uint32_t attempt;
    if (sscanf(name, "%" SCNd64 "-%" SCNu32 "-%" SCNd64, &layer, &attempt, &step) != 3)
        return false;
    baseline_file_name(expected, layer, attempt, step);
    size_t length = strlen(expected);
    if (strncmp(name, expected, length) != 0)
        return false;
    if (strcmp(name + length, ".tmp") == 0)
        return true;
    if (name[length] != '\0')
        return false;
    sqlite3_bind_int64(row_exists, 1, layer);
    sqlite3_bind_int64(row_exists, 2, attempt);
    sqlite3_bind_int64(row_exists, 3, step);
    bool orphan = sqlite3_step(row_exists) == SQLITE_DONE;
    sqlite3_reset(row_exists);
    return orphan;
}

int baseline_file_sweep(int baselines_fd, sqlite3 *db, struct error *error)
{
    static const char *const text[] = {
        "SELECT 1 FROM baseline WHERE layer_id = ? AND attempt = ? AND step = ?"};
    sqlite3_stmt *row_exists;
    if (sql_prepare_all(db, text, &row_exists, 1, error))
        return -1;
    int copy = openat(baselines_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (!folder) {
        fail_with_errno("folder", "cannot be read", error);
        if (copy >= 0)
            close(copy);
        sqlite3_finalize(row_exists);
        return -1;
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (is_orphan(entry->d_name, row_exists))
            unlinkat(baselines_fd, entry->d_name, 0);
    }
    closedir(folder);
    sqlite3_finalize(row_exists);
    return 0;
}
