/* The spectrum tracker: one update is a few passes over W, each growing a Krylov basis by one
 * block. */
#include "daemon/analysis/spectrum.h"

#include "daemon/analysis/figure.h"
#include "daemon/analysis/kernels.h"
#include "daemon/analysis/krylov.h"
#include "daemon/analysis/spectrum_state.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_RESIDUAL 1e-3
#define SIGMA1_ERROR    1e-6 /* of sigma1 beside residual^2 */
#define CACHED_BYTES    ((size_t)4 << 20)
#define PASSES_MIN      2
#define SIGN_BREAK      0.5

/* Below so many elements the work is in double: it costs little there and leaves the second pair
 * exact. */
#define DOUBLE_ELEMENTS ((size_t)1 << 20)
#define NOISE_F64       1e-15
#define NOISE_F32       1e-7

/* The scale of the last snapshot serves while the largest element moved by less than this power of
 * two. */
#define SCALE_SLACK      20
#define EXPONENT_MAX_F32 120 /* beyond it a power of two leaves the range of the kernels */
#define EXPONENT_MAX_F64 1000

struct update {
    struct spectrum *spectrum;
    const struct matrix_view *w;
    struct gram_pass pass;
    struct gram_sums sums;
    struct krylov krylov;
    bool in_double;
    unsigned budget;
    unsigned passes;
};

struct spectrum *spectrum_new(size_t rows, size_t cols, const struct spectrum_options *options)
{
    assert(rows > 0 && rows <= INT_MAX && cols > 0 && cols <= INT_MAX);
    size_t least = rows < cols ? rows : cols;
    size_t width = least < GRAM_WIDTH ? least : GRAM_WIDTH;
    struct spectrum *spectrum =
        calloc(1, sizeof(*spectrum) + width * cols * sizeof(spectrum->block[0]));
    if (!spectrum)
        return NULL;
    spectrum->options = *options;
    spectrum->rows = rows;
    spectrum->cols = cols;
    spectrum->width = width;
    /* Seeds that differ in few bits give unrelated streams; the generator must not start at 0. */
    spectrum->rng = (options->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    return spectrum;
}

void spectrum_free(struct spectrum *spectrum)
{
    free(spectrum);
}

const float *spectrum_v1(const struct spectrum *spectrum)
{
    return spectrum->warm ? spectrum->block : NULL;
}

static double random_unit(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)(*state * UINT64_C(0x2545f4914f6cdd1d) >> 11) * 0x1p-52 - 1;
}

static unsigned pass_budget(const struct spectrum *spectrum, enum dtype dtype)
{
    const struct spectrum_options *options = &spectrum->options;
    bool cached = spectrum->rows * spectrum->cols * dtype_size(dtype) <= CACHED_BYTES;
    unsigned budget;
    if (spectrum->warm)
        budget = options->passes_warm ? options->passes_warm : cached ? 16 : 6;
    else
        budget = options->passes_cold ? options->passes_cold : cached ? 32 : 16;
    return budget < PASSES_MIN ? PASSES_MIN : budget;
}

static bool same_shape(const struct spectrum *spectrum, const struct matrix_view *view)
{
    return !view || (view->rows == spectrum->rows && view->cols == spectrum->cols);
}

static int update_init(struct update *update, struct spectrum *spectrum,
    const struct matrix_view *w, const struct matrix_view *w0, const struct matrix_view *prev)
{
    size_t rows = spectrum->rows, cols = spectrum->cols;
    bool wide = w->dtype == DTYPE_F64 || (w0 && w0->dtype == DTYPE_F64) ||
                (prev && prev->dtype == DTYPE_F64);
    *update =
        (struct update){.spectrum = spectrum, .w = w, .pass = {.w = w, .reference = {w0, prev}}};
    update->in_double = wide || rows * cols <= DOUBLE_ELEMENTS;
    update->budget = pass_budget(spectrum, w->dtype);
    size_t size =
        update->in_double ? gram_work_size_f64(rows, cols) : gram_work_size_f32(rows, cols);
    update->pass.work = aligned_alloc(64, (size + 63) / 64 * 64);
    double noise = update->in_double ? NOISE_F64 : NOISE_F32;
    if (krylov_init(&update->krylov, cols, spectrum->width, noise) != 0 || !update->pass.work)
        return -1;
    return 0;
}

static void update_free(struct update *update)
{
    krylov_free(&update->krylov);
    free(update->pass.work);
}

/* The first block: the old Ritz vectors, and at least one random vector, so that a missed direction
 * is found. */
static void start_block(struct update *update)
{
    struct spectrum *spectrum = update->spectrum;
    struct krylov *krylov = &update->krylov;
    size_t old = spectrum->warm ? (spectrum->width - 1) * spectrum->cols : 0;
    double *vectors = krylov->ritz; /* free until the first products are in */
    for (size_t i = 0; i < old; i++)
        vectors[i] = (double)spectrum->block[i];
    krylov_append(krylov, vectors, old / spectrum->cols);
    while (krylov->waiting < spectrum->width) {
        for (size_t c = 0; c < spectrum->cols; c++)
            vectors[c] = random_unit(&spectrum->rng);
        krylov_append(krylov, vectors, 1);
    }
}

static void multiply_block(struct update *update, bool measure)
{
    struct gram_pass *pass = &update->pass;
    if (measure)
        update->sums = (struct gram_sums){0};
    pass->sums = measure ? &update->sums : NULL;
    pass->scale = ldexp(1, -update->spectrum->exponent);
    pass->in = krylov_block(&update->krylov);
    pass->out = krylov_products(&update->krylov);
    pass->width = update->krylov.waiting;
    if (update->in_double)
        gram_pass_f64(pass);
    else
        gram_pass_f32(pass);
    update->passes++;
}

/* The first pass, read once more where the scale of the last snapshot does not serve. */
static void first_pass(struct update *update)
{
    multiply_block(update, true);
    if (update->sums.nonfinite || update->sums.max_abs <= 0)
        return;
    int exponent;
    frexp(update->sums.max_abs, &exponent);
    int limit = update->in_double ? EXPONENT_MAX_F64 : EXPONENT_MAX_F32;
    exponent = exponent > limit ? limit : exponent < -limit ? -limit : exponent;
    if (abs(exponent - update->spectrum->exponent) > SCALE_SLACK) {
        update->spectrum->exponent = exponent;
        multiply_block(update, true);
    }
}

static bool converged(const struct update *update)
{
    const struct spectrum_options *options = &update->spectrum->options;
    double target = options->target_residual > 0 ? options->target_residual : TARGET_RESIDUAL;
    double residual = krylov_residual(&update->krylov, 0);
    return update->passes >= PASSES_MIN && residual <= target &&
           krylov_error(&update->krylov) <= residual * residual + SIGMA1_ERROR;
}

/* Passes until the target is met, the budget is spent, or nothing is left to search. Returns 0, or
 * -1. */
static int iterate(struct update *update)
{
    for (;;) {
        if (krylov_absorb(&update->krylov) != 0)
            return -1;
        if (converged(update) || update->passes >= update->budget)
            return 0;
        int waiting = krylov_expand(&update->krylov);
        if (waiting <= 0)
            return waiting;
        multiply_block(update, false);
    }
}

/* 0 without a previous direction. */
static double cosine_with_previous(const struct spectrum *spectrum, const double *v)
{
    double cosine = 0;
    for (size_t c = 0; spectrum->warm && c < spectrum->cols; c++)
        cosine += v[c] * (double)spectrum->block[c];
    return cosine;
}

static double sign_of_largest(const double *v, size_t n)
{
    size_t largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fabs(v[i]) > fabs(v[largest]) ? i : largest;
    return v[largest] < 0 ? -1 : 1;
}

/* |v - previous|^2 / 2 of vectors of the same sign: 1 - |cos| without cancellation. */
static double turn_between(const float *v, const float *previous, double sign, size_t n)
{
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        double apart = (double)v[i] - sign * (double)previous[i];
        square += apart * apart;
    }
    return square / 2;
}

/* Keeps the leading Ritz vectors as the block of the next update, v1 with its sign. */
static void remember(struct update *update, struct spectrum_result *out)
{
    struct spectrum *spectrum = update->spectrum;
    size_t cols = spectrum->cols;
    double *ritz = update->krylov.ritz;
    float *v1 = (float *)update->pass.work; /* no pass is left */
    double cosine = cosine_with_previous(spectrum, ritz);
    out->broke = fabs(cosine) < SIGN_BREAK;
    double sign = out->broke ? sign_of_largest(ritz, cols) : cosine < 0 ? -1 : 1;
    for (size_t c = 0; c < cols; c++)
        v1[c] = (float)(sign * ritz[c]);
    if (spectrum->warm && !spectrum->stale)
        out->turn = turn_between(v1, spectrum->block, sign * cosine < 0 ? -1 : 1, cols);
    memcpy(spectrum->block, v1, cols * sizeof(*v1));
    for (size_t i = cols; i < spectrum->width * cols; i++)
        spectrum->block[i] = (float)ritz[i];
    spectrum->warm = true;
    spectrum->stale = false;
}

static double unscaled(const struct spectrum *spectrum, double square)
{
    return ldexp(square, 2 * spectrum->exponent);
}

static void publish_sums(const struct update *update, struct weight_sums *out)
{
    const struct spectrum *spectrum = update->spectrum;
    const struct gram_sums *sums = &update->sums;
    struct reference_sums *to[GRAM_REFERENCES] = {&out->init, &out->prev};
    bool *narrow[GRAM_REFERENCES] = {&out->narrow_init, &out->narrow_prev};
    out->square = unscaled(spectrum, sums->square);
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        const struct matrix_view *reference = update->pass.reference[i];
        if (!reference)
            continue;
        to[i]->square = unscaled(spectrum, sums->reference[i].square);
        to[i]->difference = unscaled(spectrum, sums->reference[i].difference);
        to[i]->noise = unscaled(spectrum, sums->ulp_square + sums->reference[i].ulp_square);
        *narrow[i] = dtype_is_narrow(update->w->dtype) || dtype_is_narrow(reference->dtype);
    }
}

static double figure(double value)
{
    return isfinite(value) ? value : FIGURE_UNDEFINED;
}

static void publish_pairs(const struct update *update, struct spectrum_result *out)
{
    const struct krylov *krylov = &update->krylov;
    double theta1 = krylov->theta[0];
    out->sigma1 = figure(ldexp(sqrt(theta1), update->spectrum->exponent));
    out->stable_rank = update->sums.square / theta1;
    out->residual = figure(krylov_residual(krylov, 0));
    if (update->spectrum->width < 2)
        return;
    double theta2 = krylov->theta[1] > 0 ? krylov->theta[1] : 0;
    out->sigma2 = figure(ldexp(sqrt(theta2), update->spectrum->exponent));
    out->gap = 1 - sqrt(theta2 / theta1);
    out->residual2 = figure(krylov_residual(krylov, 1));
}

int spectrum_update(struct spectrum *spectrum, const struct matrix_view *w,
    const struct matrix_view *w0, const struct matrix_view *prev, struct spectrum_result *out)
{
    if (!same_shape(spectrum, w) || !same_shape(spectrum, w0) || !same_shape(spectrum, prev))
        return -1;
    double none = FIGURE_UNDEFINED;
    *out = (struct spectrum_result){.sigma1 = none,
        .sigma2 = none,
        .gap = none,
        .stable_rank = none,
        .turn = none,
        .residual = none,
        .residual2 = none};
    struct update update;
    uint64_t rng = spectrum->rng;
    int exponent = spectrum->exponent;
    int rc = update_init(&update, spectrum, w, w0, prev);
    if (rc == 0) {
        start_block(&update);
        first_pass(&update);
        out->nonfinite = update.sums.nonfinite;
        publish_sums(&update, &out->sums);
        bool usable = !update.sums.nonfinite && update.sums.max_abs > 0;
        rc = usable ? iterate(&update) : 0;
        out->passes = update.passes;
        if (usable && rc == 0) {
            publish_pairs(&update, out);
            remember(&update, out);
        } else {
            spectrum->rng = rng;
            spectrum->exponent = exponent;
        }
    }
    update_free(&update);
    return rc;
}
