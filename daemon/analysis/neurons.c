/* Neuron cosines, block by block from the kernels' sums; neurons whose squares leave the range of the
 * lanes are taken again, vector by vector in double. */
#include "daemon/analysis/neurons.h"

#include "daemon/analysis/chance.h"
#include "daemon/analysis/kernels.h"
#include "daemon/analysis/undefined.h"
#include "daemon/analysis/vector.h"

#include <stdlib.h>
#include <string.h>

#define THRESHOLD       0.5
#define CHANCE_COVERAGE 0.95
#define TILE_NEURONS    32         /* neurons that are taken again at once */
#define SMALL           (1u << 20) /* elements up to which double lanes cost nothing */

enum { IN_OUT, GATE_OUT, GATE_IN, COSINES };

struct survey {
    const struct matrix *gate, *in; /* [ff, d], gate may be NULL */
    const struct matrix *out;       /* [d, ff] */
    void (*sum)(const struct neuron_pass *pass);
    double least, most; /* sums of squares that are sound */
    void *work;
    double *tile[NEURON_SIDES]; /* [TILE_NEURONS][d] */
    double *part;               /* [TILE_NEURONS][d] */
    double *cosine[COSINES];    /* [ff], `defined` of them in use */
    size_t defined;
    size_t beyond;
    double chance;
    struct neurons_result *result;
};

static const char *const class_names[NEURON_CLASS_COUNT] = {
    [NEURON_ENRICHMENT] = "enrichment",
    [NEURON_CONDITIONAL_ENRICHMENT] = "conditional_enrichment",
    [NEURON_PROPORTIONAL_CHANGE] = "proportional_change",
    [NEURON_ORTHOGONAL] = "orthogonal",
    [NEURON_CONDITIONAL_DEPLETION] = "conditional_depletion",
    [NEURON_DEPLETION] = "depletion",
    [NEURON_ATYPICAL_ENRICHMENT] = "atypical_enrichment",
    [NEURON_ATYPICAL_CONDITIONAL_ENRICHMENT] = "atypical_conditional_enrichment",
    [NEURON_ATYPICAL_PROPORTIONAL_CHANGE] = "atypical_proportional_change",
    [NEURON_ATYPICAL_CONDITIONAL_DEPLETION] = "atypical_conditional_depletion",
    [NEURON_ATYPICAL_DEPLETION] = "atypical_depletion",
};

const char *neuron_class_name(enum neuron_class class)
{
    return class_names[class];
}

bool neuron_class_applies(enum neuron_class class, bool gated)
{
    return gated || class == NEURON_ENRICHMENT || class == NEURON_ORTHOGONAL ||
           class == NEURON_DEPLETION;
}

static int quantised(double cosine)
{
    return (cosine > THRESHOLD) - (cosine < -THRESHOLD);
}

enum neuron_class neuron_classify(bool gated, double in_out, double gate_out, double gate_in)
{
    /* [q(in, out) + 1][|q(gate, out)|][typical] */
    static const enum neuron_class classes[3][2][2] = {
        {{NEURON_ATYPICAL_CONDITIONAL_DEPLETION, NEURON_CONDITIONAL_DEPLETION},
            {NEURON_ATYPICAL_DEPLETION, NEURON_DEPLETION}},
        {{NEURON_ORTHOGONAL, NEURON_ORTHOGONAL},
            {NEURON_ATYPICAL_PROPORTIONAL_CHANGE, NEURON_PROPORTIONAL_CHANGE}},
        {{NEURON_ATYPICAL_CONDITIONAL_ENRICHMENT, NEURON_CONDITIONAL_ENRICHMENT},
            {NEURON_ATYPICAL_ENRICHMENT, NEURON_ENRICHMENT}},
    };
    static const enum neuron_class ungated[3] = {
        NEURON_DEPLETION, NEURON_ORTHOGONAL, NEURON_ENRICHMENT};
    int io = quantised(in_out), go = quantised(gate_out), gi = quantised(gate_in);
    return gated ? classes[io + 1][go != 0][gi == io * go] : ungated[io + 1];
}

/* Takes a neuron by its lengths and products. */
static void take_cosines(struct survey *survey, const struct neuron_sums *sums)
{
    struct neurons_result *result = survey->result;
    double gate = sqrt(sums->square[NEURON_GATE]), in = sqrt(sums->square[NEURON_IN]),
           out = sqrt(sums->square[NEURON_OUT]);
    double cosine[COSINES] = {sums->in_out / (in * out)};
    if (result->gated) {
        cosine[GATE_OUT] = sums->gate_out / (gate * out);
        cosine[GATE_IN] = sums->gate_in / (gate * in);
        cosine[GATE_OUT] = cosine[GATE_IN] < 0 ? -cosine[GATE_OUT] : cosine[GATE_OUT];
        cosine[GATE_IN] = fabs(cosine[GATE_IN]);
    }
    result->count[neuron_classify(
        result->gated, cosine[IN_OUT], cosine[GATE_OUT], cosine[GATE_IN])]++;
    survey->beyond += fabs(cosine[IN_OUT]) > survey->chance;
    for (int i = IN_OUT; i < (result->gated ? COSINES : GATE_OUT); i++)
        survey->cosine[i][survey->defined] = cosine[i];
    survey->defined++;
}

/* Takes a neuron that lies in the tiles. */
static void take_vectors(struct survey *survey, size_t row)
{
    size_t d = survey->in->cols;
    double *vector[NEURON_SIDES];
    struct neuron_sums sums = {.in_out = 0};
    for (int side = survey->gate ? NEURON_GATE : NEURON_IN; side < NEURON_SIDES; side++) {
        vector[side] = survey->tile[side] + row * d;
        double length = vector_length(vector[side], d);
        if (length <= 0) {
            survey->result->undefined++;
            return;
        }
        sums.square[side] = length * length;
    }
    sums.in_out = vector_dot(vector[NEURON_IN], vector[NEURON_OUT], d);
    if (survey->gate) {
        sums.gate_out = vector_dot(vector[NEURON_GATE], vector[NEURON_OUT], d);
        sums.gate_in = vector_dot(vector[NEURON_GATE], vector[NEURON_IN], d);
    }
    take_cosines(survey, &sums);
}

/* Columns [begin, begin + count) of `out` as rows of its tile. */
static void load_columns(struct survey *survey, size_t begin, size_t count)
{
    size_t d = survey->out->rows;
    for (size_t k = 0; k < d;) {
        struct matrix_view rows = matrix_from(survey->out, k);
        struct matrix_view columns = matrix_view_turned(&rows);
        kernels_in_use()->load_f64(&columns, begin, count, survey->part);
        for (size_t i = 0; i < count; i++)
            memcpy(survey->tile[NEURON_OUT] + i * d + k, survey->part + i * rows.rows,
                rows.rows * sizeof(double));
        k += rows.rows;
    }
}

static bool is_sound(const struct survey *survey, const struct neuron_sums *sums)
{
    bool sound = true;
    for (int side = survey->gate ? NEURON_GATE : NEURON_IN; side < NEURON_SIDES; side++)
        sound = sound && sums->square[side] >= survey->least && sums->square[side] <= survey->most;
    return sound;
}

/* Takes a few neurons from their sums; where one's say nothing, all are loaded. */
static void take_few(
    struct survey *survey, const struct neuron_pass *block, size_t begin, size_t count)
{
    bool loaded = false;
    for (size_t i = 0; i < count; i++) {
        if (is_sound(survey, &block->sums[begin + i])) {
            take_cosines(survey, &block->sums[begin + i]);
            continue;
        }
        if (!loaded) {
            if (block->gate)
                kernels_in_use()->load_f64(block->gate, begin, count, survey->tile[NEURON_GATE]);
            kernels_in_use()->load_f64(block->in, begin, count, survey->tile[NEURON_IN]);
            load_columns(survey, block->begin + begin, count);
            loaded = true;
        }
        take_vectors(survey, i);
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void take_all(struct survey *survey)
{
    struct neuron_sums sums[NEURON_BLOCK];
    for (size_t begin = 0; begin < survey->in->rows;) {
        struct matrix_view in = matrix_from(survey->in, begin), gate = in;
        if (survey->gate)
            gate = matrix_from(survey->gate, begin);
        in.rows = gate.rows = smaller(smaller(in.rows, gate.rows), NEURON_BLOCK);
        struct neuron_pass block = {
            survey->gate ? &gate : NULL, &in, survey->out, begin, sums, survey->work};
        survey->sum(&block);
        for (size_t i = 0; i < in.rows; i += TILE_NEURONS)
            take_few(survey, &block, i, smaller(in.rows - i, TILE_NEURONS));
        begin += in.rows;
    }
}

static void summarise(const struct survey *survey)
{
    struct neurons_result *result = survey->result;
    struct neuron_cosines *cosines[COSINES] = {
        &result->in_out, &result->gate_out, &result->gate_in};
    for (int i = IN_OUT; i < COSINES; i++) {
        size_t n = i == IN_OUT || result->gated ? survey->defined : 0;
        for (size_t j = 0; j < n; j++)
            histogram_add(&cosines[i]->bins, survey->cosine[i][j]);
        cosines[i]->cosine = quantile_distribution(survey->cosine[i], n);
    }
    bool known = survey->defined > 0 && survey->in->cols > 1;
    result->beyond_chance =
        known ? (double)survey->beyond / (double)survey->defined : ANALYSIS_UNDEFINED;
}

static bool fits(const struct matrix *matrix, size_t rows, size_t cols)
{
    return !matrix || (matrix->rows == rows && matrix->cols == cols);
}

/* Chooses the lanes and allocates what they need. */
static int open_survey(struct survey *survey)
{
    const struct kernels *kernels = kernels_in_use();
    size_t ff = survey->in->rows, d = survey->in->cols, tile = TILE_NEURONS * d;
    bool wide = survey->in->dtype == DTYPE_F64 || survey->out->dtype == DTYPE_F64 ||
                (survey->gate && survey->gate->dtype == DTYPE_F64) ||
                ff * d <= SMALL / NEURON_SIDES;
    int exponent = wide ? NEURON_EXPONENT_F64 : NEURON_EXPONENT_F32;
    survey->sum = wide ? kernels->neurons_f64 : kernels->neurons_f32;
    survey->least = ldexp((double)d, -exponent);
    survey->most = ldexp((double)d, exponent);
    survey->chance = d > 1 ? chance_cosine(d, CHANCE_COVERAGE) : 1;
    size_t work = wide ? kernels->neuron_work_f64() : kernels->neuron_work_f32();
    survey->work = aligned_alloc(64, (work + 63) / 64 * 64);
    survey->part = calloc(tile, sizeof(double));
    int rc = survey->work && survey->part ? 0 : ANALYSIS_MEMORY;
    for (int i = 0; i < NEURON_SIDES; i++) {
        survey->tile[i] = calloc(tile, sizeof(double));
        rc = survey->tile[i] ? rc : ANALYSIS_MEMORY;
    }
    for (int i = 0; i < COSINES; i++) {
        survey->cosine[i] = calloc(ff, sizeof(double));
        rc = survey->cosine[i] ? rc : ANALYSIS_MEMORY;
    }
    return rc;
}

static void close_survey(struct survey *survey)
{
    for (int i = 0; i < COSINES; i++)
        free(survey->cosine[i]);
    for (int i = 0; i < NEURON_SIDES; i++)
        free(survey->tile[i]);
    free(survey->part);
    free(survey->work);
}

int neurons_measure(const struct matrix *gate, const struct matrix *in, const struct matrix *out,
    struct neurons_result *result)
{
    if (!fits(gate, in->rows, in->cols) || !fits(out, in->cols, in->rows))
        return ANALYSIS_SHAPE;
    *result = (struct neurons_result){.gated = gate != NULL};
    struct survey survey = {.gate = gate, .in = in, .out = out, .result = result};
    int rc = open_survey(&survey);
    if (rc == 0) {
        take_all(&survey);
        summarise(&survey);
    }
    close_survey(&survey);
    return rc;
}
