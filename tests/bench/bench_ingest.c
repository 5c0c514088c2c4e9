/* From ingest to stored figure: the speed of a real foreshockd over its real sockets, as ratios to
 * a plain copy, a plain read, a bare ZeroMQ transfer and the analysis alone.
 *
 *   bench_ingest FORESHOCKD [PAIRS]
 *
 * In each of PAIRS rounds everything is measured on the same bytes one after the other, and the
 * ratios are taken within the round, so that a machine that is busy disturbs both sides alike. The
 * daemon's time runs from before the first byte until `flushed`: analysed and committed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/bench/process.h"
#include "tests/bench/ratio.h"
#include "tests/bench/sender.h"
#include "tests/bench/snapshots.h"
#include "tests/bench/yardsticks.h"

#define PAIRS_DEFAULT 7u
#define PAIRS_MAX     100u
#define TOKENS        512u /* as the Python client's default */
#define MB            1e6

struct shape {
    enum dtype dtype;
    size_t rows, cols;
    unsigned count; /* snapshots in a round; with their inputs not more than 64 tensors */
};

static const struct shape shapes[] = {
    {DTYPE_BF16, 4096, 4096, 6},
    {DTYPE_F32, 4096, 4096, 4},
    {DTYPE_F32, 768, 3072, 16},
};

enum measured { FIGURES, COPY, READ, TRANSFER, ANALYSIS, FLUSH, MEASURED };

static const char *const names[MEASURED] = {
    "foreshockd", "memcpy", "read", "zmq ipc", "analysis alone", "flush of nothing"};

struct bench {
    const struct shape *shape;
    struct process daemon, sink;
    struct sender sender;
    void *sink_socket; /* of the sender's context */
    struct snapshots snapshots;
    struct bare_analysis *analysis;
    void *copy;
    struct stretch stretch;
    unsigned rounds;
    double seconds[MEASURED][PAIRS_MAX];
};

static int send_one(struct bench *bench, uint64_t position, enum wire_kind kind)
{
    const struct snapshots *s = &bench->snapshots;
    bool weights = kind == WIRE_WEIGHTS;
    struct wire_tensor header = {
        .kind = kind,
        .step = position,
        .dtype = wire_str(dtype_name(s->dtype)),
        .shape = {weights ? s->rows : s->tokens, s->cols},
        .total = weights ? snapshots_weights_bytes(s) : snapshots_inputs_bytes(s),
    };

    return sender_tensor(
        &bench->sender, &header, weights ? snapshots_weights(s, position) : s->inputs);
}

/* Seconds, or -1. */
static double figures_seconds(struct bench *bench)
{
    const struct stretch *stretch = &bench->stretch;
    double begin = seconds_now();
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < stretch->count; i++) {
        rc = sender_want(&bench->sender, snapshots_weights_bytes(&bench->snapshots));
        if (rc == 0)
            rc = sender_want(&bench->sender, snapshots_inputs_bytes(&bench->snapshots));
    }
    for (unsigned i = 0; rc == 0 && i < stretch->count; i++) {
        rc = send_one(bench, stretch->position + i, WIRE_WEIGHTS);
        if (rc == 0)
            rc = send_one(bench, stretch->position + i, WIRE_ACTIVATIONS);
    }
    return rc == 0 && sender_flush(&bench->sender) == 0 ? seconds_now() - begin : -1;
}

static double flush_seconds(struct bench *bench)
{
    double begin = seconds_now();

    return sender_flush(&bench->sender) == 0 ? seconds_now() - begin : -1;
}

static double measure(struct bench *bench, enum measured what)
{
    switch (what) {
    case FIGURES: return figures_seconds(bench);
    case COPY: return copy_seconds(&bench->stretch, bench->copy);
    case READ: return read_seconds(&bench->stretch);
    case TRANSFER: return transfer_seconds(&bench->stretch, bench->sink_socket);
    case ANALYSIS: return analysis_seconds(&bench->stretch, bench->analysis);
    default: return flush_seconds(bench);
    }
}

/* Forwards and backwards in turn, so that nothing always comes after the same. */
static int round_of_all(struct bench *bench, double seconds[MEASURED])
{
    for (unsigned i = 0; i < MEASURED; i++) {
        unsigned what = bench->rounds % 2 ? MEASURED - 1 - i : i;

        seconds[what] = measure(bench, (enum measured)what);
        if (seconds[what] < 0)
            return -1;
    }
    bench->rounds++;
    bench->stretch.position += bench->stretch.count;
    return 0;
}

static int start(struct bench *bench, const struct shape *shape, const char *binary)
{
    bench->shape = shape;
    bench->stretch = (struct stretch){&bench->snapshots, 0, shape->count};
    if (snapshots_make(&bench->snapshots, shape->dtype, shape->rows, shape->cols, TOKENS) != 0)
        return -1;
    bench->copy = malloc(stretch_bytes(&bench->stretch));
    bench->analysis = bare_analysis_new(&bench->snapshots);
    if (!bench->copy || !bench->analysis)
        return -1;
    if (process_start_daemon(&bench->daemon, binary) != 0 ||
        process_start_sink(&bench->sink) != 0 ||
        sender_open(&bench->sender, bench->daemon.endpoint, "bench") != 0)
        return -1;
    bench->sink_socket = sender_dealer(&bench->sender, bench->sink.endpoint);
    return bench->sink_socket
               ? sender_layer(&bench->sender, 0, shape->rows, shape->cols, dtype_name(shape->dtype))
               : -1;
}

static void stop(struct bench *bench)
{
    if (bench->sink_socket)
        zmq_close(bench->sink_socket);
    sender_close(&bench->sender);
    process_stop(&bench->daemon);
    process_stop(&bench->sink);
    bare_analysis_free(bench->analysis);
    snapshots_free(&bench->snapshots);
    free(bench->copy);
}

/* The speed of the daemon as a part of the yardstick's. */
static void print_ratio(const struct bench *bench, enum measured yardstick, unsigned pairs)
{
    double ratios[PAIRS_MAX];
    struct spread spread;

    for (unsigned i = 0; i < pairs; i++)
        ratios[i] = bench->seconds[yardstick][i] / bench->seconds[FIGURES][i];
    spread = spread_of(ratios, pairs);
    printf("  / %-16s %8.4f  (%.4f to %.4f)\n", names[yardstick], spread.median, spread.low,
        spread.high);
}

static void print_here(struct bench *bench, unsigned pairs)
{
    double bytes = (double)stretch_bytes(&bench->stretch);

    printf("  on this machine, MB/s:");
    for (unsigned what = FIGURES; what < FLUSH; what++)
        printf(
            "  %s %.0f", names[what], bytes / MB / spread_of(bench->seconds[what], pairs).median);
    printf(";  %s %.1f ms\n", names[FLUSH], 1e3 * spread_of(bench->seconds[FLUSH], pairs).median);
}

static void print_case(struct bench *bench, unsigned pairs, double passes, double passes_alone)
{
    double samples = (double)pairs * bench->stretch.count;

    printf("\n%zu x %zu %s, %u snapshots with %u inputs each, %.0f MB a round\n",
        bench->shape->rows, bench->shape->cols, dtype_name(bench->shape->dtype),
        bench->stretch.count, TOKENS, (double)stretch_bytes(&bench->stretch) / MB);
    printf("  passes a sample: %.2f, alone %.2f\n", passes / samples, passes_alone / samples);
    for (unsigned what = COPY; what < FLUSH; what++)
        print_ratio(bench, (enum measured)what, pairs);
    print_here(bench, pairs);
    fflush(stdout);
}

static int run_case(
    struct bench *bench, const struct shape *shape, const char *binary, unsigned pairs)
{
    double warm_up[MEASURED], one[MEASURED], passes;
    uint64_t alone;

    if (start(bench, shape, binary) != 0 || round_of_all(bench, warm_up) != 0)
        return -1;
    passes = process_metric(&bench->daemon, "foreshock_passes_total");
    alone = bare_analysis_passes(bench->analysis);
    for (unsigned i = 0; i < pairs; i++) {
        if (round_of_all(bench, one) != 0)
            return -1;
        for (unsigned what = 0; what < MEASURED; what++)
            bench->seconds[what][i] = one[what];
    }
    passes = process_metric(&bench->daemon, "foreshock_passes_total") - passes;
    print_case(bench, pairs, passes, (double)(bare_analysis_passes(bench->analysis) - alone));
    return 0;
}

/* The value of the first line of /proc/cpuinfo that begins with `key`; "" if there is none. */
static void cpu_line(const char *key, char *value, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[4096];

    value[0] = '\0';
    while (file && !value[0] && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0 && strchr(line, ':'))
            snprintf(value, size, "%s", strchr(line, ':') + 2);
    if (file)
        fclose(file);
    value[strcspn(value, "\n")] = '\0';
}

static void print_machine(void)
{
    static const char *const wanted[] = {"avx", "fma", "f16c", "asimd", "sve", "amx"};
    char model[256], flags[4096], *rest = flags;
    struct utsname system;
    const char *flag;

    uname(&system);
    cpu_line("model name", model, sizeof model);
    cpu_line(system.machine[0] == 'a' ? "Features" : "flags", flags, sizeof flags);
    printf("machine: %s, %ld cores, %s, Linux %s\nflags:", model, sysconf(_SC_NPROCESSORS_ONLN),
        system.machine, system.release);
    while ((flag = strsep(&rest, " ")))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strncmp(flag, wanted[i], strlen(wanted[i])) == 0)
                printf(" %s", flag);
    printf("\nspeed of foreshockd, from the first byte to the committed figure, as a part of:\n"
           "(medians and quartiles over the pairs)\n");
}

int main(int argc, char **argv)
{
    unsigned pairs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : PAIRS_DEFAULT;
    int rc = 0;

    if (argc == 3 && strcmp(argv[1], "--sink") == 0)
        return sink_main(argv[2]);
    if (argc < 2 || argc > 3 || pairs == 0 || pairs > PAIRS_MAX) {
        fprintf(stderr, "usage: %s FORESHOCKD [PAIRS, 1 to %u]\n", argv[0], PAIRS_MAX);
        return 2;
    }
    print_machine();
    for (size_t i = 0; rc == 0 && i < sizeof shapes / sizeof *shapes; i++) {
        static struct bench bench;

        memset(&bench, 0, sizeof bench);
        rc = run_case(&bench, &shapes[i], argv[1], pairs);
        stop(&bench);
    }
    return rc == 0 ? 0 : 1;
}
