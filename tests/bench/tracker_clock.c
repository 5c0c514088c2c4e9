/* Follows the snapshots of a file with the spectrum tracker, and tells how long each step takes.
 *
 * tracker_clock FILE ROWS COLS RESIDUAL: FILE holds float32 snapshots [ROWS, COLS], one after the other;
 * RESIDUAL is the target of the tracker. Commands on stdin, a line each, answered by a line:
 *   update I  takes snapshot I in, without a baseline: "SECONDS PASSES SIGMA1 RESIDUAL"; then FILE.v1
 *             holds v1, float32 [COLS]
 *   pass I    one fused pass over snapshot I and its baseline with 8 vectors: "SECONDS" */
#include <cblas.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/analysis/kernels.h"
#include "daemon/analysis/spectrum.h"
#include "tests/bench/deck.h"
#include "tests/bench/reading.h"

struct clock {
    const char *path;
    const float *data;
    size_t rows, cols, count;
    struct spectrum *spectrum;
    double *in, *out; /* of single passes, allocated at the first */
    void *work;
};

static void open_file(struct clock *clock, char **argv)
{
    int fd = open(argv[1], O_RDONLY);
    struct stat about;
    size_t bytes;

    clock->path = argv[1];
    clock->rows = strtoul(argv[2], NULL, 10);
    clock->cols = strtoul(argv[3], NULL, 10);
    bytes = clock->rows * clock->cols * sizeof(float);
    if (fd < 0 || fstat(fd, &about) != 0 || bytes == 0 || (size_t)about.st_size % bytes != 0)
        fatal("the file does not hold whole snapshots of that shape");
    clock->count = (size_t)about.st_size / bytes;
    clock->data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    clock->spectrum = spectrum_new(clock->rows, clock->cols,
        &(struct spectrum_options){.seed = 1, .target_residual = strtod(argv[4], NULL)});
    if (clock->data == MAP_FAILED || !clock->spectrum)
        fatal("memory is short");
    close(fd);
}

static struct matrix_view snapshot(const struct clock *clock, size_t i)
{
    return matrix_view_rows(
        clock->data + i * clock->rows * clock->cols, DTYPE_F32, clock->rows, clock->cols);
}

static void write_direction(const struct clock *clock)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s.v1", clock->path);
    file = fopen(path, "wb");
    if (!file ||
        fwrite(spectrum_v1(clock->spectrum), sizeof(float), clock->cols, file) != clock->cols ||
        fclose(file) != 0)
        fatal("cannot write v1");
}

static void update(struct clock *clock, size_t i)
{
    struct matrix_view view = snapshot(clock, i);
    struct matrix w = matrix_of(&view);
    struct spectrum_result result;
    double begin = seconds_now(), seconds;

    if (spectrum_update(clock->spectrum, &w, NULL, NULL, NULL, &result) != 0)
        fatal("the update failed");
    seconds = seconds_now() - begin;
    write_direction(clock);
    printf("%.9g %u %.9g %.9g\n", seconds, result.passes, result.sigma1, result.residual);
}

static void *must_allocate(size_t bytes)
{
    void *data = aligned_alloc(64, (bytes + 63) / 64 * 64);

    if (!data)
        fatal("memory is short");
    memset(data, 0, bytes);
    return data;
}

static void pass(struct clock *clock, size_t i)
{
    struct matrix_view view = snapshot(clock, i), first = snapshot(clock, 0);
    struct matrix w = matrix_of(&view), w0 = matrix_of(&first);
    const struct kernels *kernels = kernels_in_use();
    size_t block = GRAM_WIDTH * clock->cols * sizeof(double);
    struct gram_sums sums;
    double begin;

    if (!clock->work) {
        clock->in = must_allocate(block);
        clock->out = must_allocate(block);
        clock->work = must_allocate(kernels->gram_work_f32(clock->rows, clock->cols));
    }
    begin = seconds_now();
    kernels->gram_f32(&(struct gram_pass){.w = &w,
        .reference = {&w0},
        .scale = 1,
        .in = clock->in,
        .out = clock->out,
        .width = GRAM_WIDTH,
        .sums = &sums,
        .work = clock->work});
    printf("%.9g\n", seconds_now() - begin);
}

int main(int argc, char **argv)
{
    struct clock clock = {0};
    char line[64], command[16];
    size_t i;

    if (argc != 5)
        fatal("expected FILE ROWS COLS RESIDUAL");
    openblas_set_num_threads(1);
    open_file(&clock, argv);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%15s %zu", command, &i) != 2 || i >= clock.count)
            fatal("expected: update I or pass I, I below the number of snapshots");
        if (command[0] == 'u')
            update(&clock, i);
        else
            pass(&clock, i);
        fflush(stdout);
    }
    spectrum_free(clock.spectrum);
    free(clock.in);
    free(clock.out);
    free(clock.work);
    return 0;
}
