/* The spectrum tracker: one update is a few passes over W, each growing a Krylov basis by one
 * block. */
#include "daemon/analysis/spectrum.h"

#include "daemon/analysis/kernels.h"
#include "daemon/analysis/krylov.h"
#include "daemon/analysis/spectrum_state.h"
#include "daemon/analysis/undefined.h"
#include "daemon/analysis/vector.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_RESIDUAL 1e-3
#define SIGMA1_ERROR    1e-4 /* of sigma1 beside residual^2 */
#define CACHED_BYTES    ((size_t)4 << 20)
#define SIGN_BREAK      0.5

/* What lab/TRACKER.md found best. The block holds Ritz vectors, the first vector of the block before and
 * an explorer. */
enum { BEFORE = 6, EXPLORER = 7 };
#define GROWTH         2   /* residuals that a further pass of a warm update takes */
#define EXPLORER_FRESH 0.3 /* of random in the explorer */

/* Below so many elements the work is in double: it costs little there and leaves the second pair
 * exact. */
#define DOUBLE_ELEMENTS ((size_t)1 << 20)
#define NOISE_F64       1e-15
#define NOISE_F32       1e-7

/* Mean squares within 2^-LIMIT and 2^LIMIT are summed without trouble. What leaves the range of float
 * is measured in double, what leaves that of double is scaled. */
#define SQUARE_LIMIT_F32 70
#define SQUARE_LIMIT_F64 400
#define EXPONENT_MAX     1000 /* beyond it a power of two leaves the range of double */

struct update {
    struct spectrum *spectrum;
    const struct kernels *kernels;
    const struct matrix *w;
    struct gram_pass pass;
    struct gram_sums sums;
    uint64_t nonfinite;
    struct krylov krylov;
    bool in_double;
    unsigned budget;
    unsigned passes;
};

struct spectrum *spectrum_new(size_t rows, size_t cols, const struct spectrum_options *options)
{
    assert(rows > 0 && rows <= INT_MAX && cols > 0 && cols <= INT_MAX);
    size_t width = cols < GRAM_WIDTH ? cols : GRAM_WIDTH;
    struct spectrum *spectrum =
        calloc(1, sizeof(*spectrum) + (1 + width) * cols * sizeof(spectrum->vectors[0]));
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
    return spectrum->warm ? spectrum->vectors : NULL;
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
    if (!spectrum->warm)
        return options->passes_cold ? options->passes_cold : cached ? 32 : 16;
    if (cached)
        return options->passes_small ? options->passes_small : 16;
    return options->passes_large ? options->passes_large : 8;
}

static bool same_shape(const struct spectrum *spectrum, const struct matrix *matrix)
{
    return !matrix || (matrix->rows == spectrum->rows && matrix->cols == spectrum->cols);
}

/* Returns 0 or ANALYSIS_MEMORY. */
static int allocate_work(struct update *update)
{
    size_t rows = update->w->rows, cols = update->w->cols;
    size_t size = update->in_double ? update->kernels->gram_work_f64(rows, cols)
                                    : update->kernels->gram_work_f32(rows, cols);
    free(update->pass.work);
    update->pass.work = aligned_alloc(64, (size + 63) / 64 * 64);
    return update->pass.work ? 0 : ANALYSIS_MEMORY;
}

static int update_init(struct update *update, struct spectrum *spectrum, const struct matrix *w,
    const struct matrix *w0, const struct baseline_sums *w0_sums, const struct matrix *prev)
{
    size_t rows = spectrum->rows, cols = spectrum->cols;
    bool wide = w->dtype == DTYPE_F64 || (w0 && w0->dtype == DTYPE_F64) ||
                (prev && prev->dtype == DTYPE_F64);
    *update = (struct update){.spectrum = spectrum,
        .kernels = kernels_in_use(),
        .w = w,
        .pass = {.w = w, .reference = {w0, prev}, .reference_known = {w0_sums->known, false}}};
    update->in_double = spectrum->in_double || wide || rows * cols <= DOUBLE_ELEMENTS;
    update->budget = pass_budget(spectrum, w->dtype);
    double noise = update->in_double ? NOISE_F64 : NOISE_F32;
    if (krylov_init(&update->krylov, cols, spectrum->width, noise) != 0)
        return ANALYSIS_MEMORY;
    return allocate_work(update);
}

static void update_free(struct update *update)
{
    krylov_free(&update->krylov);
    free(update->pass.work);
}

static void random_vector(struct spectrum *spectrum, double *vector)
{
    for (size_t c = 0; c < spectrum->cols; c++)
        vector[c] = random_unit(&spectrum->rng);
}

/* The first block: what the last update left; random vectors stand in for those that depend on
 * others, all at a cold start. */
static void start_block(struct update *update)
{
    struct spectrum *spectrum = update->spectrum;
    struct krylov *krylov = &update->krylov;
    const float *block = spectrum->vectors + spectrum->cols;
    double *vectors = krylov->ritz; /* free until the first products are in */
    size_t old = spectrum->warm ? spectrum->width : 0;
    for (size_t i = 0; i < old * spectrum->cols; i++)
        vectors[i] = (double)block[i];
    krylov_append(krylov, vectors, old);
    while (krylov->waiting < spectrum->width) {
        random_vector(spectrum, vectors);
        krylov_append(krylov, vectors, 1);
    }
}

static void multiply_block(struct update *update, bool measure)
{
    struct gram_pass *pass = &update->pass;
    pass->sums = measure ? &update->sums : NULL;
    pass->scale = update->in_double ? ldexp(1, -update->spectrum->exponent) : 1;
    pass->in = krylov_block(&update->krylov);
    pass->out = krylov_products(&update->krylov);
    pass->width = update->krylov.waiting;
    if (update->in_double)
        update->kernels->gram_f64(pass);
    else
        update->kernels->gram_f32(pass);
    update->passes++;
}

/* Whether a sum of the squares of all elements is one that the kernels did not spoil. */
static bool in_range(const struct update *update, double square)
{
    int limit = update->in_double ? SQUARE_LIMIT_F64 : SQUARE_LIMIT_F32;
    double mean = square / (double)update->w->rows / (double)update->w->cols;
    return mean > ldexp(1, -limit) && mean < ldexp(1, limit);
}

static bool sums_usable(const struct update *update)
{
    const struct gram_sums *sums = &update->sums;
    if (!in_range(update, sums->square))
        return false;
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        if (!update->pass.reference[i])
            continue;
        bool known = update->pass.reference_known[i];
        if (!isfinite(sums->reference[i].difference))
            return false;
        /* In double a sum of 0 is that of zeros. */
        if (!known && !in_range(update, sums->reference[i].square) &&
            !(update->in_double && isfinite(sums->reference[i].square)))
            return false;
    }
    return true;
}

static double scan(struct update *update)
{
    double max_abs = 0;
    for (size_t i = 0; i < update->w->count; i++) {
        struct kernels_scan found = update->kernels->scan(&update->w->part[i]);
        max_abs = fmax(max_abs, found.max_abs);
        update->nonfinite += found.nonfinite;
    }
    update->passes++;
    return max_abs;
}

/* The first pass; where its sums cannot be used, once more in double and at another scale. Returns 1 if
 * W has a spectrum, 0 if it is zero or not finite, or ANALYSIS_MEMORY. */
static int first_pass(struct update *update)
{
    struct spectrum *spectrum = update->spectrum;
    multiply_block(update, true);
    if (sums_usable(update))
        return 1;
    double max_abs = scan(update);
    if (update->nonfinite)
        return 0;
    int exponent;
    frexp(max_abs, &exponent);
    exponent = exponent > EXPONENT_MAX ? EXPONENT_MAX : exponent;
    spectrum->exponent = exponent < -EXPONENT_MAX ? -EXPONENT_MAX : exponent;
    spectrum->in_double = max_abs > 0 && !in_range(update, update->sums.square); /* W, not W0 */
    update->in_double = true;
    update->krylov.noise = NOISE_F64;
    if (allocate_work(update) != 0)
        return ANALYSIS_MEMORY;
    multiply_block(update, true);
    return max_abs > 0;
}

static bool converged(const struct update *update)
{
    const struct spectrum_options *options = &update->spectrum->options;
    double target = options->target_residual > 0 ? options->target_residual : TARGET_RESIDUAL;
    double residual = krylov_residual(&update->krylov, 0);
    return residual <= target &&
           krylov_error(&update->krylov) <= residual * residual + SIGMA1_ERROR;
}

/* Passes until the target is met, the budget is spent, or nothing is left to search. Returns 0 or an
 * error. */
static int iterate(struct update *update)
{
    size_t growth = update->spectrum->warm ? GROWTH : update->spectrum->width;
    for (;;) {
        if (krylov_absorb(&update->krylov) != 0)
            return ANALYSIS_DIVERGED;
        if (converged(update) || update->passes >= update->budget)
            return 0;
        int waiting = krylov_expand(&update->krylov, growth);
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
        cosine += v[c] * (double)spectrum->vectors[c];
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

/* Publishes v1 with its sign. */
static void keep_direction(struct update *update, struct spectrum_result *out)
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
        out->turn = turn_between(v1, spectrum->vectors, sign * cosine < 0 ? -1 : 1, cols);
    memcpy(spectrum->vectors, v1, cols * sizeof(*v1));
}

static void narrow(const double *vector, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)vector[i];
}

/* The residual of the last pair with some random in it: from update to update it walks towards what
 * the other vectors miss, and it never settles. */
static void keep_explorer(struct update *update, float *out)
{
    struct krylov *krylov = &update->krylov;
    size_t cols = krylov->cols, last = krylov->pairs - 1;
    double *residual = krylov->residual + last * cols;
    double *fresh = krylov->ritz; /* kept by now */
    random_vector(update->spectrum, fresh);
    double share = krylov->norm[last] > 0
                       ? EXPLORER_FRESH * krylov->norm[last] / vector_length(fresh, cols)
                       : 1;
    for (size_t c = 0; c < cols; c++)
        residual[c] += share * fresh[c];
    double length = vector_length(residual, cols);
    for (size_t c = 0; c < cols; c++)
        residual[c] /= length;
    narrow(residual, cols, out);
}

/* The block of the next update. Its first vector of before tells, beside the new one, where v1 is
 * going. */
static void keep_block(struct update *update)
{
    struct spectrum *spectrum = update->spectrum;
    size_t cols = spectrum->cols, width = spectrum->width;
    float *block = spectrum->vectors + cols;
    if (width > BEFORE)
        memcpy(block + BEFORE * cols, spectrum->warm ? block : spectrum->vectors,
            cols * sizeof(*block));
    krylov_polish(&update->krylov);
    narrow(update->krylov.ritz, (width < BEFORE ? width : BEFORE) * cols, block);
    if (width > EXPLORER)
        keep_explorer(update, block + EXPLORER * cols);
}

/* The power of two that the sums and Ritz values are those of W without. */
static int exponent_of(const struct update *update)
{
    return update->in_double ? update->spectrum->exponent : 0;
}

static void publish_sums(
    const struct update *update, struct baseline_sums *w0_sums, struct weight_sums *out)
{
    const struct gram_sums *sums = &update->sums;
    int twice = 2 * exponent_of(update);
    struct reference_sums *to[GRAM_REFERENCES] = {&out->init, &out->prev};
    bool *narrow[GRAM_REFERENCES] = {&out->narrow_init, &out->narrow_prev};
    double ulp_square = ldexp(sums->ulp_square, twice);
    out->square = ldexp(sums->square, twice);
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        const struct matrix *reference = update->pass.reference[i];
        if (!reference)
            continue;
        struct baseline_sums its = {true, ldexp(sums->reference[i].square, twice),
            ldexp(sums->reference[i].ulp_square, twice)};
        if (i == 0 && w0_sums->known)
            its = *w0_sums;
        else if (i == 0)
            *w0_sums = its;
        to[i]->square = its.square;
        to[i]->difference = ldexp(sums->reference[i].difference, twice);
        to[i]->noise = ulp_square + its.ulp_square;
        *narrow[i] = dtype_is_narrow(update->w->dtype) || dtype_is_narrow(reference->dtype);
    }
}

static double figure(double value)
{
    return isfinite(value) ? value : ANALYSIS_UNDEFINED;
}

static void publish_pairs(const struct update *update, struct spectrum_result *out)
{
    const struct krylov *krylov = &update->krylov;
    double theta1 = krylov->theta[0];
    out->sigma1 = figure(ldexp(sqrt(theta1), exponent_of(update)));
    out->stable_rank = update->sums.square / theta1;
    out->residual = figure(krylov_residual(krylov, 0));
    if (update->spectrum->rows < 2 || update->spectrum->cols < 2)
        return;
    double theta2 = krylov->theta[1] > 0 ? krylov->theta[1] : 0;
    out->sigma2 = figure(ldexp(sqrt(theta2), exponent_of(update)));
    out->gap = 1 - sqrt(theta2 / theta1);
    out->residual2 = figure(krylov_residual(krylov, 1));
}

static void clear_result(struct spectrum_result *out)
{
    double none = ANALYSIS_UNDEFINED;

    *out = (struct spectrum_result){.sigma1 = none,
        .sigma2 = none,
        .gap = none,
        .stable_rank = none,
        .turn = none,
        .residual = none,
        .residual2 = none};
}

int spectrum_update(struct spectrum *spectrum, const struct matrix *w, const struct matrix *w0,
    struct baseline_sums *w0_sums, const struct matrix *prev, struct spectrum_result *out)
{
    struct baseline_sums anew = {.known = false};
    w0_sums = w0_sums ? w0_sums : &anew;
    if (!same_shape(spectrum, w) || !same_shape(spectrum, w0) || !same_shape(spectrum, prev))
        return ANALYSIS_SHAPE;
    clear_result(out);
    struct update update;
    uint64_t rng = spectrum->rng;
    int exponent = spectrum->exponent;
    bool in_double = spectrum->in_double;
    int rc = update_init(&update, spectrum, w, w0, w0_sums, prev);
    if (rc == 0) {
        start_block(&update);
        rc = first_pass(&update);
        bool usable = rc > 0;
        out->nonfinite = update.nonfinite;
        if (rc >= 0 && !update.nonfinite)
            publish_sums(&update, w0_sums, &out->sums);
        rc = usable ? iterate(&update) : rc;
        out->passes = update.passes;
        if (usable && rc == 0) {
            publish_pairs(&update, out);
            keep_direction(&update, out);
            keep_block(&update);
            spectrum->warm = true;
            spectrum->stale = false;
        } else {
            spectrum->rng = rng;
            spectrum->exponent = exponent;
            spectrum->in_double = in_double;
        }
    }
    update_free(&update);
    return rc;
}
