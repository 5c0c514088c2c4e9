/* Plain copy, plain read, bare transfer, bare analysis; see yardsticks.h. */
#include "tests/bench/yardsticks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "daemon/analysis/alignment.h"
#include "daemon/analysis/spectrum.h"
#include "tests/bench/sender.h"

#define HEADER_SIZE 256u /* about that of a tensor message */

struct bare_analysis {
    const struct snapshots *snapshots;
    struct spectrum *spectrum;
    uint64_t passes;
};

size_t stretch_bytes(const struct stretch *stretch)
{
    return stretch->count * (snapshots_weights_bytes(stretch->snapshots) +
                                snapshots_inputs_bytes(stretch->snapshots));
}

double copy_seconds(const struct stretch *stretch, void *to)
{
    const struct snapshots *s = stretch->snapshots;
    double begin = seconds_now();
    char *at = to;

    for (unsigned i = 0; i < stretch->count; i++) {
        memcpy(at, snapshots_weights(s, stretch->position + i), snapshots_weights_bytes(s));
        at += snapshots_weights_bytes(s);
        memcpy(at, s->inputs, snapshots_inputs_bytes(s));
        at += snapshots_inputs_bytes(s);
    }
    __asm__ volatile("" : : "r"(to) : "memory"); /* the copies are wanted */
    return seconds_now() - begin;
}

double read_seconds(const struct stretch *stretch)
{
    const struct snapshots *s = stretch->snapshots;
    double begin = seconds_now();

    for (unsigned i = 0; i < stretch->count; i++) {
        read_plainly(snapshots_weights(s, stretch->position + i), snapshots_weights_bytes(s));
        read_plainly(s->inputs, snapshots_inputs_bytes(s));
    }
    return seconds_now() - begin;
}

static int blank_header(void *ctx, uint64_t offset, void **header, size_t *header_size)
{
    *header = calloc(1, HEADER_SIZE);
    *header_size = HEADER_SIZE;
    return *header ? 0 : -1;
}

double transfer_seconds(const struct stretch *stretch, void *socket)
{
    const struct snapshots *s = stretch->snapshots;
    double begin = seconds_now();
    char end[8];

    for (unsigned i = 0; i < stretch->count; i++) {
        const void *weights = snapshots_weights(s, stretch->position + i);

        if (sender_pieces(socket, weights, snapshots_weights_bytes(s), blank_header, NULL) != 0 ||
            sender_pieces(socket, s->inputs, snapshots_inputs_bytes(s), blank_header, NULL) != 0)
            return -1;
    }
    if (zmq_send(socket, "end", 3, 0) < 0 || zmq_recv(socket, end, sizeof end, 0) < 0) {
        fprintf(stderr, "the sink does not answer: %s\n", zmq_strerror(zmq_errno()));
        return -1;
    }
    return seconds_now() - begin;
}

struct bare_analysis *bare_analysis_new(const struct snapshots *snapshots)
{
    struct bare_analysis *analysis = calloc(1, sizeof *analysis);

    if (!analysis)
        return NULL;
    analysis->snapshots = snapshots;
    analysis->spectrum =
        spectrum_new(snapshots->rows, snapshots->cols, &(struct spectrum_options){.seed = 1});
    if (analysis->spectrum)
        return analysis;
    free(analysis);
    return NULL;
}

void bare_analysis_free(struct bare_analysis *analysis)
{
    if (!analysis)
        return;
    spectrum_free(analysis->spectrum);
    free(analysis);
}

static struct matrix_view weights_at(const struct snapshots *s, uint64_t position)
{
    return matrix_view_rows(snapshots_weights(s, position), s->dtype, s->rows, s->cols);
}

static int align(const struct bare_analysis *analysis)
{
    const struct snapshots *s = analysis->snapshots;
    struct matrix_view inputs = matrix_view_rows(s->inputs, s->dtype, s->tokens, s->cols);
    struct alignment *alignment = alignment_begin(s->cols, spectrum_v1(analysis->spectrum));
    struct alignment_result result;
    int rc = alignment ? alignment_add(alignment, &inputs) : -1;

    if (rc == 0)
        alignment_finish(alignment, &result);
    alignment_free(alignment);
    return rc;
}

double analysis_seconds(const struct stretch *stretch, struct bare_analysis *analysis)
{
    struct matrix_view first = weights_at(stretch->snapshots, 0);
    double begin = seconds_now();

    for (uint64_t i = stretch->position; i < stretch->position + stretch->count; i++) {
        struct matrix_view now = weights_at(stretch->snapshots, i);
        struct matrix_view before = weights_at(stretch->snapshots, i ? i - 1 : 0);
        struct matrix w = matrix_of(&now), w0 = matrix_of(&first), prev = matrix_of(&before);
        struct spectrum_result result;

        if (spectrum_update(analysis->spectrum, &w, &w0, NULL, i ? &prev : NULL, &result) != 0 ||
            align(analysis) != 0) {
            fprintf(stderr, "the analysis alone failed\n");
            return -1;
        }
        analysis->passes += result.passes;
    }
    return seconds_now() - begin;
}

uint64_t bare_analysis_passes(const struct bare_analysis *analysis)
{
    return analysis->passes;
}
