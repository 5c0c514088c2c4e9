/* Neuron cosines and classes against plain loops and the table of the definition. */
#include "daemon/analysis/neurons.h"
#include "daemon/analysis/undefined.h"
#include "tests/unit/analysis/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEAR 1e-5

static double cosine(const double *a, size_t a_step, const double *b, size_t b_step, size_t n)
{
    long double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        long double x = (long double)a[i * a_step], y = (long double)b[i * b_step];
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return (double)(ab / (sqrtl(aa) * sqrtl(bb)));
}

/* The name of the class, word by word from the table. */
static void expected_class(double in_out, double gate_out, double gate_in, char *name, size_t size)
{
    int io = in_out > 0.5 ? 1 : in_out < -0.5 ? -1 : 0;
    int go = gate_out > 0.5 ? 1 : gate_out < -0.5 ? -1 : 0;
    int gi = gate_in > 0.5 ? 1 : gate_in < -0.5 ? -1 : 0;
    const char *base;
    if (io == 0)
        base = go != 0 ? "proportional_change" : "orthogonal";
    else if (io > 0)
        base = go != 0 ? "enrichment" : "conditional_enrichment";
    else
        base = go != 0 ? "depletion" : "conditional_depletion";
    int atypical = gi != io * go && strcmp(base, "orthogonal") != 0;
    snprintf(name, size, "%s%s", atypical ? "atypical_" : "", base);
}

static size_t class_of(const char *name)
{
    for (size_t i = 0; i < NEURON_CLASS_COUNT; i++)
        if (strcmp(neuron_class_name((enum neuron_class)i), name) == 0)
            return i;
    fail_msg("no class named %s", name);
    return 0;
}

struct block {
    size_t ff, d;
    struct sample gate, in, out;
};

/* Rows that lean on each other at random strengths, so that every class occurs. */
static struct block random_block(
    struct random_source *random, size_t ff, size_t d, enum dtype dtype, int transposed)
{
    double *gate = must_alloc(ff * d, sizeof(double)), *in = must_alloc(ff * d, sizeof(double));
    double *out = must_alloc(ff * d, sizeof(double));
    for (size_t i = 0; i < ff; i++) {
        double a = 3 * random_normal(random), b = 3 * random_normal(random),
               c = 3 * random_normal(random);
        for (size_t k = 0; k < d; k++) {
            double shared = random_normal(random), also = random_normal(random);
            gate[i * d + k] = random_normal(random) + a * shared + c * also;
            in[i * d + k] = random_normal(random) + b * shared;
            out[k * ff + i] = random_normal(random) + c * shared + a * also;
        }
    }
    struct block block = {ff, d, sample_of(gate, ff, d, dtype, transposed),
        sample_of(in, ff, d, dtype, transposed), sample_of(out, d, ff, dtype, !transposed)};
    free(gate);
    free(in);
    free(out);
    return block;
}

static void block_free(struct block *block)
{
    sample_free(&block->gate);
    sample_free(&block->in);
    sample_free(&block->out);
}

static int near_threshold(double value)
{
    return fabs(fabs(value) - 0.5) < NEAR;
}

static int measure(const struct matrix_view *gate, const struct matrix_view *in,
    const struct matrix_view *out, struct neurons_result *result)
{
    struct matrix i = matrix_of(in), o = matrix_of(out), g = matrix_of(gate ? gate : in);
    return neurons_measure(gate ? &g : NULL, &i, &o, result);
}

static void check_distribution(
    const struct distribution *got, double *values, size_t n, double bound)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    assert_true(fabs(got->mean - sum / (double)n) < bound);
    struct distribution expected =
        quantile_distribution(values, n); /* held to NumPy in test_small.c */
    note_error(bound > 1e-12 ? "error of a cosine's quantile, float lanes"
                             : "error of a cosine's quantile",
        fabs(got->p05 - expected.p05));
    assert_true(fabs(got->p05 - expected.p05) < bound && fabs(got->p25 - expected.p25) < bound);
    assert_true(fabs(got->p50 - expected.p50) < bound && fabs(got->p75 - expected.p75) < bound);
    assert_true(fabs(got->p95 - expected.p95) < bound);
}

/* Every figure of a gated block, by the definition. Adds to seen[class]. */
static void check_block(
    const struct block *block, const struct neurons_result *got, double bound, uint64_t *seen)
{
    size_t ff = block->ff, d = block->d;
    uint64_t count[NEURON_CLASS_COUNT] = {0}, doubtful = 0, total = got->undefined, moved = 0;
    double *io = must_alloc(ff, sizeof(double)), *go = must_alloc(ff, sizeof(double));
    double *gi = must_alloc(ff, sizeof(double));
    for (size_t i = 0; i < ff; i++) {
        const double *gate = block->gate.values + i * d, *in = block->in.values + i * d;
        const double *out = block->out.values + i;
        io[i] = cosine(in, 1, out, ff, d);
        gi[i] = cosine(gate, 1, in, 1, d);
        go[i] = cosine(gate, 1, out, ff, d) * (gi[i] < 0 ? -1 : 1);
        gi[i] = fabs(gi[i]);
        doubtful += near_threshold(io[i]) || near_threshold(go[i]) || near_threshold(gi[i]);
        char name[64];
        expected_class(io[i], go[i], gi[i], name, sizeof(name));
        count[class_of(name)]++;
    }
    for (size_t i = 0; i < NEURON_CLASS_COUNT; i++) {
        moved += count[i] > got->count[i] ? count[i] - got->count[i] : 0;
        seen[i] += got->count[i];
        total += got->count[i];
    }
    assert_true(moved <= doubtful);
    assert_int_equal(total, ff);
    check_distribution(&got->in_out.cosine, io, ff, bound);
    check_distribution(&got->gate_out.cosine, go, ff, bound);
    check_distribution(&got->gate_in.cosine, gi, ff, bound);
    free(io);
    free(go);
    free(gi);
}

static void gated_blocks(void **state)
{
    static const size_t shapes[][2] = {{1, 5}, {7, 3}, {300, 12}, {1000, 4}, {129, 200}};
    uint64_t seen[NEURON_CLASS_COUNT] = {0};
    struct random_source random = {31};
    for (size_t s = 0; s < 5 * 3; s++) {
        struct block block =
            random_block(&random, shapes[s % 5][0], shapes[s % 5][1], (enum dtype)(s / 5), s % 2);
        struct neurons_result got;
        assert_int_equal(measure(&block.gate.view, &block.in.view, &block.out.view, &got), 0);
        check_block(&block, &got, 1e-12, seen);
        block_free(&block);
    }
    for (size_t i = 0; i < NEURON_CLASS_COUNT; i++)
        assert_true(seen[i] > 0);
}

/* Three parts that begin at 0, `first` and `second`. */
static struct matrix cut(
    const struct matrix_view *view, size_t first, size_t second, struct matrix_view part[3])
{
    struct matrix matrix;
    part[0] = matrix_view_slice(view, 0, first);
    part[1] = matrix_view_slice(view, first, second);
    part[2] = matrix_view_slice(view, second, view->rows);
    assert_int_equal(matrix_stack(part, 3, &matrix), 0);
    return matrix;
}

/* Blocks that are large enough for float lanes: the bound on classes is held by check_block, that on
 * cosines is 5e-6. */
static void large_blocks_in_parts(void **state)
{
    enum { FF = 523, D = 1307 };
    uint64_t seen[NEURON_CLASS_COUNT] = {0};
    struct random_source random = {34};
    for (unsigned s = 0; s < 2 * (DTYPE_COUNT - 1); s++) {
        enum dtype dtype = (enum dtype)(DTYPE_F32 + s / 2);
        struct block block = random_block(&random, FF, D, dtype, s % 2);
        struct matrix_view gate_part[3], in_part[3], out_part[3];
        struct matrix gate = cut(&block.gate.view, 1, 200, gate_part),
                      in = cut(&block.in.view, 130, 400, in_part),
                      out = cut(&block.out.view, 7, 700, out_part);
        struct neurons_result got;
        assert_int_equal(neurons_measure(&gate, &in, &out, &got), 0);
        assert_int_equal(got.undefined, 0);
        check_block(&block, &got, 5e-6, seen);
        block_free(&block);
    }
}

static void scale_row(double *values, size_t n, size_t step, double scale)
{
    for (size_t i = 0; i < n; i++)
        values[i * step] *= scale;
}

/* Matrices of three dtypes, with single vectors far from 1, beside others that are not defined. */
static void large_blocks_of_odd_neurons(void **state)
{
    enum { FF = 400, D = 1000 };
    uint64_t seen[NEURON_CLASS_COUNT] = {0};
    struct random_source random = {35};
    struct block block = random_block(&random, FF, D, DTYPE_F32, 0), odd = {.ff = FF, .d = D};
    scale_row(block.gate.values + 3 * D, D, 1, 1e-30);
    scale_row(block.in.values + 40 * D, D, 1, 1e30);
    scale_row(block.out.values + 41, D, FF, 1e-30);
    for (size_t k = 0; k < D; k++) /* equal ones round worst */
        block.gate.values[77 * D + k] = block.out.values[k * FF + 77] = 0.1;
    scale_row(block.in.values + 399 * D, D, 1, 1e-20);
    scale_row(block.out.values + 399, D, FF, 1e20);
    odd.gate = sample_of(block.gate.values, FF, D, DTYPE_BF16, 0);
    odd.in = sample_of(block.in.values, FF, D, DTYPE_F32, 1);
    odd.out = sample_of(block.out.values, D, FF, DTYPE_BF16, 0);
    struct neurons_result got;
    assert_int_equal(measure(&odd.gate.view, &odd.in.view, &odd.out.view, &got), 0);
    assert_int_equal(got.undefined, 0);
    check_block(&odd, &got, 5e-6, seen);
    block_free(&odd);

    scale_row(block.gate.values + 17 * D, D, 1, 0);
    scale_row(block.out.values + 300, D, FF, 0);
    block.in.values[20 * D + 999] = NAN;
    odd.gate = sample_of(block.gate.values, FF, D, DTYPE_F32, 0);
    odd.in = sample_of(block.in.values, FF, D, DTYPE_F32, 1);
    odd.out = sample_of(block.out.values, D, FF, DTYPE_F32, 0);
    assert_int_equal(measure(&odd.gate.view, &odd.in.view, &odd.out.view, &got), 0);
    assert_int_equal(got.undefined, 3);
    block_free(&odd);
    block_free(&block);
}

static void ungated_blocks(void **state)
{
    struct random_source random = {32};
    struct block block = random_block(&random, 400, 6, DTYPE_F32, 0);
    struct neurons_result got;
    assert_int_equal(measure(NULL, &block.in.view, &block.out.view, &got), 0);
    uint64_t above = 0, below = 0;
    for (size_t i = 0; i < 400; i++) {
        double value = cosine(block.in.values + i * 6, 1, block.out.values + i, 400, 6);
        above += value > 0.5;
        below += value < -0.5;
    }
    assert_int_equal(got.count[NEURON_ENRICHMENT], above);
    assert_int_equal(got.count[NEURON_DEPLETION], below);
    assert_int_equal(got.count[NEURON_ORTHOGONAL], 400 - above - below);
    assert_false(analysis_is_defined(got.gate_out.cosine.mean) ||
                 analysis_is_defined(got.gate_in.cosine.p50));
    size_t applying = 0;
    for (size_t i = 0; i < NEURON_CLASS_COUNT; i++) {
        int applies = neuron_class_applies((enum neuron_class)i, false);
        applying += (size_t)applies;
        assert_true(applies || got.count[i] == 0);
        assert_true(neuron_class_applies((enum neuron_class)i, true));
    }
    assert_int_equal(applying, 3);
    block_free(&block);
}

static void zero_and_spoilt_vectors_are_undefined(void **state)
{
    /* neuron 0 good, 1 zero gate, 2 zero column of out, 3 NaN, 4 infinity */
    float gate[5][2] = {{1, 0}, {0, 0}, {1, 1}, {1, 1}, {1, 1}},
          in[5][2] = {{1, 0}, {1, 1}, {1, 1}, {NAN, 1}, {1, 1}};
    float out[2][5] = {{2, 1, 0, 1, INFINITY}, {0, 1, 0, 1, 1}};
    struct matrix_view g = matrix_view_rows(gate, DTYPE_F32, 5, 2),
                       i = matrix_view_rows(in, DTYPE_F32, 5, 2);
    struct matrix_view o = matrix_view_rows(out, DTYPE_F32, 2, 5);
    struct neurons_result got;
    assert_int_equal(measure(&g, &i, &o, &got), 0);
    assert_int_equal(got.undefined, 4);
    assert_int_equal(got.count[NEURON_ENRICHMENT], 1);
    assert_true(got.in_out.cosine.mean == 1 && got.in_out.bins.count[HISTOGRAM_BINS - 1] == 1);
    memset(gate, 0, sizeof(gate));
    assert_int_equal(measure(&g, &i, &o, &got), 0);
    assert_int_equal(got.undefined, 5);
    assert_false(
        analysis_is_defined(got.in_out.cosine.mean) || analysis_is_defined(got.beyond_chance));
    assert_int_equal(measure(&o, &i, &o, &got), ANALYSIS_SHAPE);
    assert_int_equal(measure(&g, &i, &g, &got), ANALYSIS_SHAPE);
}

static void scales_do_not_matter(void **state)
{
    const double scales[] = {1e-30, 1e30, 1e-300, 1e300};
    for (size_t s = 0; s < 4; s++) {
        double in[2] = {scales[s], scales[s]}, out[2] = {scales[s], 0};
        struct matrix_view i = matrix_view_rows(in, DTYPE_F64, 1, 2),
                           o = matrix_view_rows(out, DTYPE_F64, 2, 1);
        struct neurons_result got;
        assert_int_equal(measure(NULL, &i, &o, &got), 0);
        assert_true(fabs(got.in_out.cosine.mean - sqrt(0.5)) < 1e-14);
    }
}

/* Of random directions, one in twenty lies beyond chance. */
static void beyond_chance_of_random_weights(void **state)
{
    enum { FF = 20000, D = 9 };
    struct random_source random = {33};
    double *in = must_alloc(FF * D, sizeof(double)), *out = must_alloc(FF * D, sizeof(double));
    random_fill(&random, in, FF * D);
    random_fill(&random, out, FF * D);
    struct matrix_view i = matrix_view_rows(in, DTYPE_F64, FF, D),
                       o = matrix_view_rows(out, DTYPE_F64, D, FF);
    struct neurons_result got;
    assert_int_equal(measure(NULL, &i, &o, &got), 0);
    assert_true(fabs(got.beyond_chance - 0.05) < 4 * sqrt(0.05 * 0.95 / FF));
    free(in);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gated_blocks),
        cmocka_unit_test(large_blocks_in_parts),
        cmocka_unit_test(large_blocks_of_odd_neurons),
        cmocka_unit_test(ungated_blocks),
        cmocka_unit_test(zero_and_spoilt_vectors_are_undefined),
        cmocka_unit_test(scales_do_not_matter),
        cmocka_unit_test(beyond_chance_of_random_weights),
    };
    if (!kernels_as_asked())
        return TEST_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_errors();
    return failed;
}
