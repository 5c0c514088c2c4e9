/* How fast the store is, and how many bytes it writes: bench_store [SERIES [STEPS
 * [MILLISECONDS_PER_STEP]]]. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/reader.h"
#include "daemon/store/reader_series.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t bytes_written(void)
{
    uint64_t bytes = 0;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "wchar: %" SCNu64, &bytes);
    if (file)
        fclose(file);
    return bytes;
}

static off_t database_bytes(const char *dir)
{
    char path[64];
    struct stat found = {0};
    snprintf(path, sizeof path, "%s/foreshock.db", dir);
    return stat(path, &found) ? -1 : found.st_size;
}

static void submit(struct store *store, struct store_batch *batch)
{
    while (!store_has_room(store))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (store_submit(store, batch))
        abort();
}

static void put_run(struct store *store, int layers)
{
    struct store_batch *batch = store_batch_new();
    store_put_run(batch,
        &(struct store_run){
            .id = 1, .key = "bench", .name = "", .state = RUN_RUNNING, .tags = "{}", .attempt = 1});
    for (int layer = 1; layer <= layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%d", layer);
        store_put_layer(batch, &(struct store_layer){.id = layer,
                                   .run = 1,
                                   .name = name,
                                   .kind = "layer",
                                   .role = "up",
                                   .block = "",
                                   .dtype = "fp32"});
    }
    submit(store, batch);
}

/* One batch a layer and step, as the daemon does it. */
static void put_step(struct store *store, int layers, int metrics, int64_t step)
{
    for (int layer = 1; layer <= layers; layer++) {
        struct store_batch *batch = store_batch_new();
        for (int metric = 0; metric < metrics; metric++) {
            struct figure figure = {.run = 1,
                .layer = layer,
                .step = step,
                .time = 1e9 + (double)step,
                .value = sin((double)(step * metric + layer)),
                .attempt = 1};
            snprintf(figure.metric, sizeof figure.metric, "family.metric_%d", metric);
            store_put_figure(batch, &figure);
        }
        submit(store, batch);
    }
}

static void write_all(const struct store_options *options, int series, int64_t steps, long pause_ms)
{
    struct error error = {0};
    struct store *store;
    if (store_open(&store, options, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    double begin = now(), cpu = cpu_seconds();
    uint64_t bytes = bytes_written();
    int metrics = series < 20 ? series : 20;
    put_run(store, series / metrics);
    for (int64_t step = 0; step < steps; step++) {
        put_step(store, series / metrics, metrics, step);
        if (pause_ms > 0)
            nanosleep(
                &(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000},
                NULL);
    }
    store_close(&store);
    double took = now() - begin, points = (double)series * (double)steps;
    printf("%d series x %" PRId64
           " steps, a step every %ld ms: %.0f thousand points/s, %.1f MB written, %" PRIu64
           " commits, %.2f s committing\n",
        series, steps, pause_ms, points / took / 1e3, (double)(bytes_written() - bytes) / 1e6,
        stats_get(&options->stats->store_commits_total),
        (double)stats_get(&options->stats->store_commit_microseconds_total) / 1e6);
    printf("file: %.1f bytes a point; processor: %.2f us a point\n",
        (double)database_bytes(options->state_dir) / points, (cpu_seconds() - cpu) / points * 1e6);
}

static void count_buckets(
    void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count)
{
    *(size_t *)ctx += count;
}

static void read_one(const char *dir, const char *what)
{
    struct error error = {0};
    struct reader *reader;
    size_t buckets = 0;
    const struct reader_series_query query = {.run = 1,
        .layer = 1,
        .metric = "family.metric_0",
        .from = 0,
        .to = INT64_MAX,
        .points = 1000};
    if (reader_open(&reader, dir, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (int i = 0; i < 3; i++) {
        double begin = now();
        buckets = 0;
        if (reader_series(reader, &query, count_buckets, &buckets))
            printf("%s\n", reader_error(reader));
        printf("%zu buckets of %s: %.1f ms\n", buckets, what, 1e3 * (now() - begin));
    }
    reader_close(&reader);
}

int main(int argc, char **argv)
{
    int series = argc > 1 ? atoi(argv[1]) : 2000;
    int64_t steps = argc > 2 ? atoll(argv[2]) : 500;
    long pause_ms = argc > 3 ? atol(argv[3]) : 0;
    char dir[] = "/tmp/foreshock-bench-XXXXXX", command[64], what[64];
    struct stats stats = {0};
    if (!mkdtemp(dir))
        return 1;
    const struct store_options options = {
        .state_dir = dir, .retention_bytes = UINT64_MAX, .stats = &stats};
    write_all(&options, series, steps, pause_ms);
    snprintf(what, sizeof what, "%" PRId64 " points", steps);
    read_one(dir, what);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : 0;
}
