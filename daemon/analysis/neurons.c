/* Neuron cosines over tiles of neurons; `out` is read by columns, turned tile by tile. */
#include "daemon/analysis/neurons.h"

#include "daemon/analysis/chance.h"
#include "daemon/analysis/figure.h"
#include "daemon/analysis/kernels.h"
#include "daemon/analysis/vector.h"

#include <stdlib.h>

#define THRESHOLD       0.5
#define CHANCE_COVERAGE 0.95
#define TILE_NEURONS    32

enum { GATE, IN, OUT, SIDES };
enum { IN_OUT, GATE_OUT, GATE_IN, COSINES };

struct survey {
    struct matrix_view side[SIDES]; /* each [ff, d] */
    double *tile[SIDES];            /* [TILE_NEURONS][d] */
    double *cosine[COSINES];        /* [ff], `defined` of them in use */
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

static void take_neuron(struct survey *survey, size_t row)
{
    struct neurons_result *result = survey->result;
    size_t d = survey->side[IN].cols;
    double *vector[SIDES] = {NULL}, length[SIDES] = {0};
    for (int side = result->gated ? GATE : IN; side < SIDES; side++) {
        vector[side] = survey->tile[side] + row * d;
        length[side] = vector_length(vector[side], d);
        if (length[side] <= 0) {
            result->undefined++;
            return;
        }
    }
    double cosine[COSINES] = {vector_dot(vector[IN], vector[OUT], d) / (length[IN] * length[OUT])};
    if (result->gated) {
        cosine[GATE_OUT] = vector_dot(vector[GATE], vector[OUT], d) / (length[GATE] * length[OUT]);
        cosine[GATE_IN] = vector_dot(vector[GATE], vector[IN], d) / (length[GATE] * length[IN]);
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

static void take_all(struct survey *survey)
{
    size_t neurons = survey->side[IN].rows;
    for (size_t begin = 0; begin < neurons; begin += TILE_NEURONS) {
        size_t count = neurons - begin < TILE_NEURONS ? neurons - begin : TILE_NEURONS;
        for (int side = survey->result->gated ? GATE : IN; side < SIDES; side++)
            kernels_in_use()->load_f64(&survey->side[side], begin, count, survey->tile[side]);
        for (size_t row = 0; row < count; row++)
            take_neuron(survey, row);
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
        cosines[i]->cosine = distribution_of(survey->cosine[i], n);
    }
    bool known = survey->defined > 0 && survey->side[IN].cols > 1;
    result->beyond_chance =
        known ? (double)survey->beyond / (double)survey->defined : FIGURE_UNDEFINED;
}

static bool fits(const struct matrix_view *view, size_t rows, size_t cols)
{
    return !view || (view->rows == rows && view->cols == cols);
}

int neurons_measure(const struct matrix_view *gate, const struct matrix_view *in,
    const struct matrix_view *out, struct neurons_result *result)
{
    size_t ff = in->rows, d = in->cols;
    if (!fits(gate, ff, d) || !fits(out, d, ff))
        return -1;
    *result = (struct neurons_result){.gated = gate != NULL};
    struct survey survey = {
        .side = {gate ? *gate : *in, *in, matrix_view_turned(out)}, .result = result};
    survey.chance = d > 1 ? chance_cosine(d, CHANCE_COVERAGE) : 1;
    int rc = 0;
    for (int i = 0; i < SIDES; i++) {
        survey.tile[i] = calloc(TILE_NEURONS * d, sizeof(double));
        survey.cosine[i] = calloc(ff, sizeof(double));
        rc = survey.tile[i] && survey.cosine[i] ? rc : -1;
    }
    if (rc == 0) {
        take_all(&survey);
        summarise(&survey);
    }
    for (int i = 0; i < SIDES; i++) {
        free(survey.tile[i]);
        free(survey.cosine[i]);
    }
    return rc;
}
