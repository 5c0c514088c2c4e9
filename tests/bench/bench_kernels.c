/* The kernels of the analysis against plainly reading the same bytes, and against OpenBLAS doing the same
 * by separate calls.
 *
 * Every figure is a ratio of two measurements that follow each other at once, and the median of several
 * such pairs, since the speed of a shared machine's memory changes from second to second. Matrices are
 * used in turn, so that none is still in cache when it is read again. One thread but where two are named.
 *
 * bench_kernels [targets|shapes|dtypes|growth|workers]...   (all, if none is named) */
#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/analysis/alignment.h"
#include "daemon/analysis/kernels.h"
#include "daemon/analysis/neurons.h"
#include "tests/bench/deck.h"
#include "tests/bench/ratio.h"
#include "tests/bench/reading.h"

#define PAIRS 11

/* ---- what is measured ---- */

/* Something that takes `seconds`, and the bytes that it must read at least. */
struct task {
    double (*seconds)(void *);
    void *argument;
    size_t bytes;
};

struct plain {
    struct deck *deck[4];
};

static double read_all(void *argument)
{
    struct plain *plain = argument;
    double begin = seconds_now();

    for (size_t i = 0; i < 4 && plain->deck[i]; i++)
        read_plainly(deck_deal(plain->deck[i]), plain->deck[i]->bytes);
    return seconds_now() - begin;
}

struct gram {
    struct deck *w, *w0; /* w0: NULL, or what W is measured against too */
    bool turned;         /* W is stored [cols, rows] */
    size_t width;
    double *in, *out;
    void *work;
    float *v, *y, *z, *difference; /* of OpenBLAS */
};

static struct gram gram_new(struct deck *w, struct deck *w0, size_t width)
{
    const struct kernels *kernels = kernels_in_use();
    size_t block = width * w->cols, size = w->dtype == DTYPE_F64
                                               ? kernels->gram_work_f64(w->rows, w->cols)
                                               : kernels->gram_work_f32(w->rows, w->cols);
    struct gram gram = {.w = w, .w0 = w0, .width = width};
    uint64_t state = 7;

    gram.in = malloc(block * sizeof(double));
    gram.out = malloc(block * sizeof(double));
    gram.work = aligned_alloc(64, (size + 63) / 64 * 64);
    gram.v = malloc(block * sizeof(float));
    gram.z = malloc(block * sizeof(float));
    gram.y = malloc(width * w->rows * sizeof(float));
    gram.difference = malloc(w->rows * w->cols * sizeof(float));
    if (!gram.in || !gram.out || !gram.work || !gram.v || !gram.z || !gram.y || !gram.difference)
        fatal("memory is short");
    for (size_t i = 0; i < block; i++) {
        gram.in[i] = random_uniform(&state);
        gram.v[i] = (float)gram.in[i];
    }
    return gram;
}

static void gram_free(struct gram *gram)
{
    free(gram->in);
    free(gram->out);
    free(gram->work);
    free(gram->v);
    free(gram->y);
    free(gram->z);
    free(gram->difference);
}

static struct matrix_view gram_view(const struct gram *gram, struct deck *deck)
{
    return gram->turned
               ? matrix_view_transposed(deck_deal(deck), deck->dtype, deck->rows, deck->cols)
               : deck_deal_view(deck);
}

/* The fused pass as the tracker calls it: with a baseline whose own length is known. */
static double gram_seconds(void *argument)
{
    struct gram *gram = argument;
    struct matrix_view w = gram_view(gram, gram->w);
    struct matrix_view w0 = gram->w0 ? gram_view(gram, gram->w0) : w;
    struct matrix matrix = matrix_of(&w), baseline = matrix_of(&w0);
    struct gram_sums sums;
    struct gram_pass pass = {.w = &matrix,
        .reference = {gram->w0 ? &baseline : NULL, NULL},
        .reference_known = {true},
        .scale = 1,
        .in = gram->in,
        .out = gram->out,
        .width = gram->width,
        .sums = gram->w0 ? &sums : NULL,
        .work = gram->work};
    double begin = seconds_now();

    if (w.dtype == DTYPE_F64)
        kernels_in_use()->gram_f64(&pass);
    else
        kernels_in_use()->gram_f32(&pass);
    return seconds_now() - begin;
}

/* The same by OpenBLAS in float32: two products, a norm, a dot product, a difference and its norm. */
static double blas_seconds(void *argument)
{
    struct gram *gram = argument;
    blasint rows = (blasint)gram->w->rows, cols = (blasint)gram->w->cols;
    blasint n = rows * cols, k = (blasint)gram->width;
    const float *w = (const float *)deck_deal(gram->w);
    const float *w0 = gram->w0 ? (const float *)deck_deal(gram->w0) : NULL;
    volatile float kept;
    double begin = seconds_now();

    if (k == 1) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, cols, 1, w, cols, gram->v, 1, 0, gram->y, 1);
        cblas_sgemv(CblasRowMajor, CblasTrans, rows, cols, 1, w, cols, gram->y, 1, 0, gram->z, 1);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, k, cols, 1, w, cols, gram->v,
            cols, 0, gram->y, k);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, cols, rows, 1, gram->y, k, w, cols,
            0, gram->z, cols);
    }
    if (w0) {
        kept = cblas_snrm2(n, w, 1);
        kept = cblas_sdot(n, w, 1, w0, 1);
        memcpy(gram->difference, w, (size_t)n * sizeof *gram->difference);
        cblas_saxpy(n, -1, w0, 1, gram->difference, 1);
        kept = cblas_snrm2(n, gram->difference, 1);
        (void)kept;
    }
    return seconds_now() - begin;
}

struct aligned {
    struct deck *x;
    float *v1;
};

static double alignment_seconds(void *argument)
{
    struct aligned *aligned = argument;
    struct matrix_view x = deck_deal_view(aligned->x);
    struct alignment_result result;
    struct alignment *alignment;
    double begin = seconds_now();

    alignment = alignment_begin(x.cols, aligned->v1);
    if (!alignment || alignment_add(alignment, &x) != 0)
        fatal("memory is short");
    alignment_finish(alignment, &result);
    alignment_free(alignment);
    return seconds_now() - begin;
}

/* gate, in [ff, d] and out [d, ff]. */
struct mlp {
    struct deck *gate, *in, *out;
};

static double neurons_seconds(void *argument)
{
    struct mlp *mlp = argument;
    struct matrix_view gate = deck_deal_view(mlp->gate), in = deck_deal_view(mlp->in),
                       out = deck_deal_view(mlp->out);
    struct matrix g = matrix_of(&gate), i = matrix_of(&in), o = matrix_of(&out);
    struct neurons_result result;
    double begin = seconds_now();

    if (neurons_measure(&g, &i, &o, &result) != 0)
        fatal("memory is short");
    return seconds_now() - begin;
}

/* ---- pairs ---- */

/* The yardstick's seconds by those of what is measured: 1 is as fast as it. `ns`: median nanoseconds of
 * what is measured. */
static struct spread compare(const struct task *yardstick, const struct task *measured, double *ns)
{
    double ratio[PAIRS], seconds[PAIRS];
    size_t pairs = measured->bytes > (size_t)1 << 30 ? 5 : PAIRS;

    measured->seconds(measured->argument);
    for (size_t i = 0; i < pairs; i++) {
        double first = yardstick->seconds(yardstick->argument);

        seconds[i] = measured->seconds(measured->argument);
        ratio[i] = first / seconds[i];
    }
    if (ns)
        *ns = 1e9 * spread_of(seconds, pairs).median;
    return spread_of(ratio, pairs);
}

static void print_head(void)
{
    printf(
        "| kernel | dtype | shape | k | of reading (quartiles) | ns/element | target | OpenBLAS |\n"
        "|---|---|---|---|---|---|---|---|\n");
}

/* `times`: how many times faster than OpenBLAS; 0: it cannot. `target` 0: none. */
static void print_row(const char *kernel, const struct deck *deck, size_t width,
    struct spread ratio, double ns, double target, double times)
{
    char k[24] = "", wanted[32] = "", blas[32] = "";

    if (width > 0)
        snprintf(k, sizeof k, "%zu", width);
    if (target > 0)
        snprintf(
            wanted, sizeof wanted, "%.2f %s", target, ratio.median >= target ? "met" : "missed");
    if (times > 0)
        snprintf(blas, sizeof blas, "%.1fx faster", times);
    printf("| %s | %s | %zux%zu | %s | **%.2f** (%.2f-%.2f) | %.3f | %s | %s |\n", kernel,
        dtype_name(deck->dtype), deck->rows, deck->cols, k, ratio.median, ratio.low, ratio.high,
        ns / (double)(deck->rows * deck->cols), wanted, blas);
    fflush(stdout);
}

static void measure_gram(
    enum dtype dtype, size_t rows, size_t cols, size_t width, bool baseline, double target)
{
    struct deck w = deck_new(dtype, rows, cols, 1);
    struct deck w0 = baseline ? deck_new(dtype, rows, cols, 2) : w;
    struct gram gram = gram_new(&w, baseline ? &w0 : NULL, width);
    struct plain plain = {{&w, baseline ? &w0 : NULL}};
    struct task reading = {read_all, &plain, w.bytes}, pass = {gram_seconds, &gram, w.bytes};
    struct task blas = {blas_seconds, &gram, w.bytes};
    double ns, times = 0;
    struct spread ratio = compare(&reading, &pass, &ns);

    if (dtype == DTYPE_F32)
        times = compare(&blas, &pass, NULL).median;
    print_row(baseline ? "pass + W0" : "pass", &w, width, ratio, ns, target, times);
    gram_free(&gram);
    deck_free(&w);
    if (baseline)
        deck_free(&w0);
}

/* W stored [in, out], as some libraries keep it: read by its columns. */
static void measure_transposed(enum dtype dtype, size_t rows, size_t cols, size_t width)
{
    struct deck w = deck_new(dtype, rows, cols, 1);
    struct gram gram = gram_new(&w, NULL, width);
    struct plain plain = {{&w}};
    struct task reading = {read_all, &plain, w.bytes}, pass = {gram_seconds, &gram, w.bytes};
    double ns;

    gram.turned = true;
    struct spread ratio = compare(&reading, &pass, &ns);
    print_row("pass, transposed", &w, width, ratio, ns, 0, 0);
    gram_free(&gram);
    deck_free(&w);
}

static void measure_alignment(enum dtype dtype, size_t tokens, size_t cols, double target)
{
    struct deck x = deck_new(dtype, tokens, cols, 3);
    struct aligned aligned = {&x, malloc(cols * sizeof(float))};
    struct plain plain = {{&x}};
    struct task reading = {read_all, &plain, x.bytes};
    struct task measured = {alignment_seconds, &aligned, x.bytes};
    uint64_t state = 5;
    double ns;

    if (!aligned.v1)
        fatal("memory is short");
    for (size_t i = 0; i < cols; i++)
        aligned.v1[i] = (float)random_uniform(&state);
    struct spread ratio = compare(&reading, &measured, &ns);
    print_row("alignment", &x, 0, ratio, ns, target, 0);
    free(aligned.v1);
    deck_free(&x);
}

static void measure_neurons(enum dtype dtype, size_t ff, size_t d, double target)
{
    struct deck gate = deck_new(dtype, ff, d, 11), in = deck_new(dtype, ff, d, 12);
    struct deck out = deck_new(dtype, d, ff, 13);
    struct mlp mlp = {&gate, &in, &out};
    struct plain plain = {{&gate, &in, &out}};
    struct task reading = {read_all, &plain, gate.bytes};
    struct task measured = {neurons_seconds, &mlp, gate.bytes};
    double ns;
    struct spread ratio = compare(&reading, &measured, &ns);

    print_row("neurons, gated", &gate, 0, ratio, ns, target, 0);
    deck_free(&gate);
    deck_free(&in);
    deck_free(&out);
}

/* ---- tables ---- */

static void targets(void)
{
    bool wide = strncmp(kernels_in_use()->name, "avx512", 6) == 0;

    printf("\n## Targets\n\n");
    print_head();
    measure_gram(DTYPE_F32, 4096, 4096, 1, true, 0.80);
    measure_gram(DTYPE_F32, 4096, 4096, 4, true, 0.65);
    measure_gram(DTYPE_F32, 4096, 4096, 8, true, 0.55);
    measure_gram(DTYPE_BF16, 4096, 4096, 4, true, wide ? 0.55 : 0.33);
    measure_gram(DTYPE_BF16, 11008, 4096, 4, true, wide ? 0.55 : 0.33);
    measure_alignment(DTYPE_F32, 16384, 4096, 0.9);
    measure_neurons(DTYPE_F32, 11008, 4096, 0.55);
}

static void shapes(void)
{
    static const size_t shape[][2] = {{768, 3072}, {4096, 4096}, {11008, 4096}, {128256, 4096}};
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16};

    printf("\n## Shapes\n\n");
    print_head();
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
            for (int baseline = 1; baseline >= 0; baseline--)
                measure_gram(dtypes[d], shape[s][0], shape[s][1], baseline ? 8 : 2, baseline, 0);
    for (size_t d = 0; d < 2; d++) {
        measure_transposed(dtypes[d], 4096, 4096, 2);
        measure_transposed(dtypes[d], 4096, 4096, 8);
    }
}

static void dtypes(void)
{
    printf("\n## Element types\n\n");
    print_head();
    for (enum dtype dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        measure_gram(dtype, 4096, 4096, 8, true, 0);
        measure_alignment(dtype, 16384, 4096, 0);
        measure_neurons(dtype, 4096, 1024, 0);
    }
}

static void growth(void)
{
    printf(
        "\n## Growth\n\nTime an element stays the same as rows, columns and tokens grow; it rises with k, "
        "from which the registers are full.\n\n");
    print_head();
    for (size_t rows = 512; rows <= 16384; rows *= 2)
        measure_gram(DTYPE_F32, rows, 2048, 8, true, 0);
    for (size_t cols = 512; cols <= 16384; cols *= 2)
        measure_gram(DTYPE_F32, 2048, cols, 8, true, 0);
    for (size_t k = 1; k <= GRAM_WIDTH; k++)
        measure_gram(DTYPE_F32, 4096, 4096, k, true, 0);
    for (size_t tokens = 128; tokens <= 32768; tokens *= 4)
        measure_alignment(DTYPE_F32, tokens, 4096, 0);
}

/* ---- two workers ---- */

struct worker {
    pthread_barrier_t *start;
    struct task task;
    unsigned rounds;
    double seconds;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    double begin;

    pthread_barrier_wait(worker->start);
    begin = seconds_now();
    for (unsigned i = 0; i < worker->rounds; i++)
        worker->task.seconds(worker->task.argument);
    worker->seconds = seconds_now() - begin;
    return NULL;
}

/* Seconds until both are done. */
static double together(const struct task task[2], size_t count)
{
    pthread_barrier_t start;
    struct worker worker[2];
    pthread_t thread[2];
    double longest = 0;

    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        worker[i] = (struct worker){&start, task[i], 8, 0};
        if (pthread_create(&thread[i], NULL, work, &worker[i]) != 0)
            fatal("no thread");
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(thread[i], NULL);
        longest = worker[i].seconds > longest ? worker[i].seconds : longest;
    }
    pthread_barrier_destroy(&start);
    return longest;
}

static double scaling(const struct task task[2])
{
    double ratio[PAIRS];

    for (size_t i = 0; i < PAIRS; i++) {
        double alone = together(task, 1);

        ratio[i] = 2 * alone / together(task, 2);
    }
    return spread_of(ratio, PAIRS).median;
}

static void workers(void)
{
    struct deck w[2], w0[2];
    struct gram gram[2];
    struct plain plain[2];
    struct task pass[2], reading[2];

    for (size_t i = 0; i < 2; i++) {
        w[i] = deck_new(DTYPE_F32, 4096, 4096, 20 + i);
        w0[i] = deck_new(DTYPE_F32, 4096, 4096, 30 + i);
    }
    for (size_t i = 0; i < 2; i++) {
        gram[i] = gram_new(&w[i], &w0[i], 8);
        plain[i] = (struct plain){{&w[i], &w0[i]}};
        pass[i] = (struct task){gram_seconds, &gram[i], w[i].bytes};
        reading[i] = (struct task){read_all, &plain[i], w[i].bytes};
    }
    printf(
        "\n## Two workers on two layers\n\n| | throughput of two threads by that of one |\n|---|---|\n");
    printf("| pass + W0, float32, k = 8 | %.2f |\n", scaling(pass));
    printf("| plain reading | %.2f |\n", scaling(reading));
    for (size_t i = 0; i < 2; i++) {
        gram_free(&gram[i]);
        deck_free(&w[i]);
        deck_free(&w0[i]);
    }
}

static void print_machine(void)
{
    char line[256], *colon;
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", 10) != 0 || !(colon = strchr(line, ':')))
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        printf("%s, ", colon + 2);
        break;
    }
    if (file)
        fclose(file);
    printf("kernels: %s\n", kernels_in_use()->name);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } tables[] = {{"targets", targets}, {"shapes", shapes}, {"dtypes", dtypes}, {"growth", growth},
        {"workers", workers}};
    struct error error;

    if (kernels_check_environment(&error) != 0)
        fatal(error.text);
    openblas_set_num_threads(1);
    print_machine();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        bool wanted = argc == 1;

        for (int a = 1; a < argc; a++)
            wanted = wanted || strcmp(argv[a], tables[i].name) == 0;
        if (wanted)
            tables[i].print();
    }
    return 0;
}
