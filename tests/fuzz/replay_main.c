/* Runs a fuzzer without libFuzzer: feeds it each file, and each file of each folder, named on the
 * command line. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int feed_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data =
        malloc(size ? size : 1); /* exact, so that a sanitizer sees a read past the end */
    int result = -1;

    if (file && data && fread(data, 1, size, file) == size) {
        printf("%s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, size);
        result = 0;
    } else {
        perror(path);
    }
    free(data);
    if (file)
        fclose(file);
    return result;
}

/* Feeds a file, or the files of a folder. Adds to `*count`; 0, or -1 when something could not be
 * read. */
static int feed(const char *path, int *count)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) {
        ++*count;
        return feed_file(path, (size_t)status.st_size);
    }
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        return -1;
    }
    int result = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        result |= feed(inner, count);
    }
    closedir(dir);
    return result;
}

int main(int argc, char **argv)
{
    int count = 0, result = 0;
    for (int i = 1; i < argc; i++)
        result |= feed(argv[i], &count);
    printf("%d inputs\n", count);
    return result == 0 && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
