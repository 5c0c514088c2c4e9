/* Spectral alignment from the kernels' sums; tokens whose squares leave the range of the lanes are taken
 * again, one by one in double. */
#include "daemon/analysis/alignment.h"

#include "daemon/analysis/kernels.h"
#include "daemon/analysis/undefined.h"
#include "daemon/analysis/vector.h"

#include <float.h>
#include <stdlib.h>

#define TOKENS 512        /* that a pass takes */
#define SMALL  (1u << 20) /* elements up to which double lanes cost nothing */

struct alignment {
    size_t cols;
    bool directed;
    double *v1;       /* [cols], unit length; 0 without a direction */
    double *unit_sum; /* [cols], sum of x / |x| */
    double *row;      /* [cols] */
    double *s;        /* [capacity], `tokens` of them in use */
    size_t capacity;
    size_t tokens;
    uint64_t skipped;
    struct bins bins;
    uint64_t finite;
    uint64_t nonfinite;
    double square_sum; /* of the finite elements */
    double max_abs;
    double square[TOKENS]; /* of a pass */
    double dot[TOKENS];
    void *work;
};

static void set_direction(struct alignment *alignment, const float *v1)
{
    for (size_t c = 0; c < alignment->cols; c++)
        alignment->v1[c] = (double)v1[c];
    double length = sqrt(vector_dot(alignment->v1, alignment->v1, alignment->cols));
    for (size_t c = 0; c < alignment->cols; c++)
        alignment->v1[c] /= length;
    alignment->directed = true;
}

static void *alloc_work(size_t cols)
{
    size_t narrow = kernels_in_use()->align_work_f32(cols),
           wide = kernels_in_use()->align_work_f64(cols);
    return aligned_alloc(64, ((narrow > wide ? narrow : wide) + 63) / 64 * 64);
}

struct alignment *alignment_begin(size_t cols, const float *v1)
{
    struct alignment *alignment = calloc(1, sizeof(*alignment));
    if (!alignment)
        return NULL;
    alignment->cols = cols;
    alignment->v1 = calloc(cols, sizeof(double));
    alignment->unit_sum = calloc(cols, sizeof(double));
    alignment->row = calloc(cols, sizeof(double));
    alignment->work = alloc_work(cols);
    if (!alignment->v1 || !alignment->unit_sum || !alignment->row || !alignment->work) {
        alignment_free(alignment);
        return NULL;
    }
    if (v1)
        set_direction(alignment, v1);
    return alignment;
}

void alignment_free(struct alignment *alignment)
{
    if (!alignment)
        return;
    free(alignment->v1);
    free(alignment->unit_sum);
    free(alignment->row);
    free(alignment->s);
    free(alignment->work);
    free(alignment);
}

static int reserve(struct alignment *alignment, size_t more)
{
    size_t needed = alignment->tokens + more;
    if (needed <= alignment->capacity)
        return 0;
    double *grown = reallocarray(alignment->s, needed, sizeof(*grown));
    if (!grown)
        return ANALYSIS_MEMORY;
    alignment->s = grown;
    alignment->capacity = needed;
    return 0;
}

/* Counts the elements of the loaded row and sets non-finite ones to 0. Returns how many those were.
 */
static size_t take_activations(struct alignment *alignment)
{
    size_t bad = 0;
    double largest = 0;
    for (size_t c = 0; c < alignment->cols; c++) {
        double magnitude = fabs(alignment->row[c]);
        bool finite = magnitude <= DBL_MAX;
        bad += !finite;
        alignment->row[c] = finite ? alignment->row[c] : 0;
        largest = finite && magnitude > largest ? magnitude : largest;
    }
    alignment->square_sum += vector_dot(alignment->row, alignment->row, alignment->cols);
    alignment->finite += alignment->cols - bad;
    alignment->nonfinite += bad;
    alignment->max_abs = largest > alignment->max_abs ? largest : alignment->max_abs;
    return bad;
}

static void take_alignment(struct alignment *alignment, double s)
{
    alignment->s[alignment->tokens++] = s;
    histogram_add(&alignment->bins, s);
}

/* Takes a token whose squares say nothing. */
static void take_rare(struct alignment *alignment, const struct matrix_view *x, size_t token)
{
    kernels_in_use()->load_f64(x, token, 1, alignment->row);
    size_t bad = take_activations(alignment);
    if (!alignment->directed)
        return;
    double length = bad ? 0 : vector_length(alignment->row, alignment->cols);
    if (length <= 0) {
        alignment->skipped++;
        return;
    }
    double s = vector_dot(alignment->row, alignment->v1, alignment->cols) / length;
    double factor = 1 / length;
    for (size_t c = 0; c < alignment->cols; c++)
        alignment->unit_sum[c] += alignment->row[c] * factor;
    take_alignment(alignment, s);
}

/* Takes up to TOKENS tokens. */
static void take_tokens(struct alignment *alignment, const struct matrix_view *x, bool wide)
{
    struct align_pass pass = {x, alignment->v1, alignment->square, alignment->dot,
        alignment->unit_sum, alignment->max_abs, alignment->work};
    if (wide)
        kernels_in_use()->align_f64(&pass);
    else
        kernels_in_use()->align_f32(&pass);
    alignment->max_abs = pass.max_abs;
    for (size_t token = 0; token < x->rows; token++) {
        double square = alignment->square[token];
        if (square < 0) {
            take_rare(alignment, x, token);
            continue;
        }
        alignment->finite += alignment->cols;
        alignment->square_sum += square;
        if (alignment->directed)
            take_alignment(alignment, alignment->dot[token] / sqrt(square));
    }
}

int alignment_add(struct alignment *alignment, const struct matrix_view *x)
{
    if (x->cols != alignment->cols)
        return ANALYSIS_SHAPE;
    if (reserve(alignment, x->rows) != 0)
        return ANALYSIS_MEMORY;
    bool wide = x->dtype == DTYPE_F64 || x->rows * x->cols <= SMALL;
    for (size_t token = 0; token < x->rows; token += TOKENS) {
        size_t end = x->rows - token < TOKENS ? x->rows : token + TOKENS;
        struct matrix_view some = matrix_view_slice(x, token, end);
        take_tokens(alignment, &some, wide);
    }
    return 0;
}

void alignment_finish(struct alignment *alignment, struct alignment_result *result)
{
    size_t n = alignment->tokens;
    double none = ANALYSIS_UNDEFINED, rms = sqrt(alignment->square_sum / (double)alignment->finite);
    *result = (struct alignment_result){
        .positive = none,
        .diversity = none,
        .input_mean = none,
        .input_mean_cos = none,
        .tokens = n,
        .skipped = alignment->skipped,
        .bins = alignment->bins,
        .activation_rms = isfinite(rms) ? rms : none,
        .activation_max_abs = alignment->finite ? alignment->max_abs : none,
        .activation_nonfinite = alignment->nonfinite,
        .s = quantile_distribution(alignment->s, n),
    };
    if (n == 0)
        return;
    size_t positive = 0;
    for (size_t i = 0; i < n; i++)
        positive += alignment->s[i] > 0;
    double length = sqrt(vector_dot(alignment->unit_sum, alignment->unit_sum, alignment->cols));
    result->positive = (double)positive / (double)n;
    result->diversity = 1 - fabs(2 * result->positive - 1);
    result->input_mean = length / (double)n;
    if (length > 0)
        result->input_mean_cos =
            fabs(vector_dot(alignment->unit_sum, alignment->v1, alignment->cols)) / length;
}
