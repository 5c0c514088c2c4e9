/* Figures by formula: tests/integration/http/formulas.py has the same ones. */
#include "tests/unit/http/serve_data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOSTILE "<img src=x onerror=\"document.title='owned'\">"

enum { LAYERS = 10, BLOCKS = 2, HOSTILE_LAYER = 13, EXPLODES_AT = 900 };

static const double started = 1763912000.0;

static void put_layer(struct store_batch *batch, int64_t id, int64_t run, const char *name,
    const char *kind, const char *role, const char *block)
{
    bool is_block = !strcmp(kind, "block");

    store_put_layer(batch, &(struct store_layer){.id = id,
                               .run = run,
                               .name = name,
                               .kind = kind,
                               .role = role,
                               .block = block,
                               .dtype = is_block ? "" : "bfloat16",
                               .rows = is_block ? 0 : 1024,
                               .cols = is_block ? 0 : 384});
}

static void put_layers(struct store_batch *batch)
{
    static const char *const roles[] = {"attn.q", "attn.o", "mlp.gate", "mlp.in", "mlp.out"};
    static const char *const names[] = {
        "attn.q_proj", "attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"};
    char name[64], block[64];

    for (int64_t id = 1; id <= LAYERS; id++) {
        int which = (int)((id - 1) % 5), number = (int)((id - 1) / 5);
        snprintf(name, sizeof name, "blocks.%d.%s", number, names[which]);
        snprintf(block, sizeof block, "blocks.%d.mlp", number);
        put_layer(batch, id, SERVE_RUNNING, name, "layer", roles[which], which < 2 ? "" : block);
    }
    for (int64_t i = 0; i < BLOCKS; i++) {
        snprintf(name, sizeof name, "blocks.%d.mlp", (int)i);
        put_layer(batch, LAYERS + 1 + i, SERVE_RUNNING, name, "block", "", "");
    }
    put_layer(batch, HOSTILE_LAYER, SERVE_RUNNING, HOSTILE, "layer", "linear", "");
    put_layer(batch, HOSTILE_LAYER + 1, SERVE_ENDED, "lm_head", "layer", "head", "");
}

static void put_alerts(struct store_batch *batch)
{
    store_put_alert(batch,
        &(struct alert_record){.id = 1,
            .run = SERVE_RUNNING,
            .attempt = 1,
            .rule = "alignment_collapse",
            .severity = SEVERITY_WARNING,
            .state = ALERT_RESOLVED,
            .title = "SA diversity collapsed in 1 layer",
            .summary = "blocks.0.mlp.down_proj fell to 0.02 of its early median, and came back.",
            .layer_count = 1,
            .layers = {"blocks.0.mlp.down_proj"},
            .evidence_count = 1,
            .evidence = {{0, "sa.diversity", 0.011, 0.05, 0.62, 200, 330}},
            .started_step = 330,
            .last_step = 410,
            .started_at = started + 330,
            .resolved_at = started + 412});
    store_put_alert(batch,
        &(struct alert_record){.id = 2,
            .run = SERVE_RUNNING,
            .attempt = 1,
            .rule = "sigma_growth",
            .severity = SEVERITY_CRITICAL,
            .state = ALERT_FIRING,
            .title = "sigma1 grows out of proportion in 2 layers",
            .summary = "sigma1 of blocks.1.mlp.up_proj grew 3.1-fold within 200 steps while its SA "
                       "diversity is 0.04: inputs "
                       "line up with the principal direction.",
            .layer_count = 2,
            .layers = {"blocks.1.mlp.up_proj", HOSTILE},
            .evidence_count = 2,
            .evidence = {{0, "spectral.sigma1", 14.2, 9.1, 4.55, 200, 900},
                {0, "sa.diversity", 0.04, 0.2, NAN, NAN, 900}},
            .started_step = 900,
            .last_step = 1190,
            .started_at = started + 900});
    store_put_alert(batch, &(struct alert_record){.id = 3,
                               .run = SERVE_ENDED,
                               .attempt = 2,
                               .rule = "nonfinite",
                               .severity = SEVERITY_CRITICAL,
                               .state = ALERT_FIRING,
                               .title = "loss is not finite",
                               .summary = "The loss is NaN since step 910.",
                               .evidence_count = 1,
                               .evidence = {{ALERT_RECORD_RUN, "loss", NAN, NAN, NAN, NAN, 910}},
                               .started_step = 910,
                               .last_step = 1190,
                               .started_at = started + 910});
}

void serve_data_begin(struct store_batch *batch)
{
    store_put_run(batch, &(struct store_run){.id = SERVE_RUNNING,
                             .key = "gpt-small",
                             .name = "GPT small, seed 3",
                             .state = RUN_RUNNING,
                             .tags = "{\"cluster\":\"a\",\"lr\":\"3e-4\"}",
                             .attempt = 1,
                             .started_at = started,
                             .last_seen_at = started + SERVE_STEPS,
                             .last_step = SERVE_STEPS - SERVE_EVERY,
                             .dropped = 12,
                             .undefined = 3});
    store_put_run(batch, &(struct store_run){.id = SERVE_ENDED,
                             .key = "exploded.1",
                             .name = "<b>exploded</b> & gone",
                             .state = RUN_ENDED,
                             .tags = "{}",
                             .attempt = 2,
                             .started_at = started - 5000,
                             .last_seen_at = started - 3000,
                             .last_step = SERVE_STEPS - SERVE_EVERY});
    store_put_attempt(batch, &(struct store_attempt){SERVE_RUNNING, 1, 0, started});
    store_put_attempt(batch, &(struct store_attempt){SERVE_ENDED, 1, 0, started - 5000});
    store_put_attempt(batch, &(struct store_attempt){SERVE_ENDED, 2, 600, started - 4000});
    store_put_session(batch, &(struct store_session){.run = SERVE_RUNNING,
                                 .key = "s1",
                                 .client = "test",
                                 .attempt = 1,
                                 .rank = 0,
                                 .world = 1,
                                 .state = SESSION_LIVE});
    put_layers(batch);
    put_alerts(batch);
}

struct place {
    int64_t run, layer, step;
    uint32_t attempt;
};

static void put(struct store_batch *batch, struct place at, const char *metric, double value)
{
    struct figure figure = {.run = at.run,
        .layer = at.layer,
        .step = at.step,
        .attempt = at.attempt,
        .time = started + (double)at.step,
        .value = value};

    snprintf(figure.metric, sizeof figure.metric, "%s", metric);
    store_put_figure(batch, &figure);
}

static void put_histogram(
    struct store_batch *batch, struct place at, const char *metric, double centre, double width)
{
    struct histogram histogram = {.run = at.run,
        .layer = at.layer,
        .step = at.step,
        .attempt = at.attempt,
        .time = started + (double)at.step};

    snprintf(histogram.metric, sizeof histogram.metric, "%s", metric);
    for (int bin = 0; bin < HISTOGRAM_BINS; bin++) {
        double distance = ((bin + 0.5) / 32 - 1 - centre) / width;
        histogram.counts[bin] = (uint32_t)lround(1000 * exp(-distance * distance));
    }
    store_put_histogram(batch, &histogram);
}

static void put_layer_figures(struct store_batch *batch, struct place at)
{
    double t = (double)at.step, n = (double)at.layer;

    put(batch, at, "spectral.sigma1", 2 + n / 10 + t / 400 + 0.05 * sin(t / 30));
    put(batch, at, "spectral.sigma2", 1.5 + n / 20 + t / 900 + 0.03 * sin(t / 40));
    put(batch, at, "spectral.residual", 4e-4);
    put(batch, at, "sa.diversity", 0.5 + 0.45 * cos(t / 250 + n));
    put(batch, at, "rotation.from_init", 1 - exp(-t / 900 - n / 100));
    put_histogram(batch, at, "sa", 0.5 * sin(t / 250 + n), 0.15 + 0.1 * cos(t / 400));
}

static void put_block_figures(struct store_batch *batch, struct place at)
{
    static const struct {
        const char *name;
        double offset;
    } quantiles[] = {{"p05", -0.3}, {"p25", -0.12}, {"p50", 0}, {"p75", 0.12}, {"p95", 0.3}};
    double centre = 0.2 * sin((double)at.step / 300);
    char metric[FIGURE_METRIC_MAX];

    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        snprintf(metric, sizeof metric, "gate.in_out.%s", quantiles[i].name);
        put(batch, at, metric, centre + quantiles[i].offset);
    }
    put_histogram(batch, at, "gate.in_out", centre, 0.2);
}

static double loss_at(int64_t step)
{
    return 2 + 8 * exp(-(double)step / 150);
}

void serve_data_step(struct store_batch *batch, int64_t step)
{
    uint32_t attempt = step < 600 ? 1 : 2;
    struct place ended = {SERVE_ENDED, 0, step, attempt};

    put(batch, (struct place){SERVE_RUNNING, 0, step, 1}, "loss", loss_at(step));
    for (int64_t layer = 1; layer <= HOSTILE_LAYER; layer++) {
        struct place at = {SERVE_RUNNING, layer, step, 1};
        if (layer > LAYERS && layer <= LAYERS + BLOCKS)
            put_block_figures(batch, at);
        else
            put_layer_figures(batch, at);
    }
    if (step >= SERVE_STEPS)
        return;
    put(batch, ended, "loss", step < EXPLODES_AT ? loss_at(step) : step == EXPLODES_AT ? 400 : NAN);
    ended.layer = HOSTILE_LAYER + 1;
    put_layer_figures(batch, ended);
}

void serve_data_wide(struct store_batch *batch, size_t first_series)
{
    char metric[FIGURE_METRIC_MAX];

    if (first_series == 0)
        store_put_run(batch, &(struct store_run){.id = SERVE_WIDE,
                                 .key = "wide",
                                 .name = "wide",
                                 .state = RUN_ENDED,
                                 .tags = "{}",
                                 .attempt = 1,
                                 .started_at = started,
                                 .last_seen_at = started + SERVE_WIDE_STEPS,
                                 .last_step = SERVE_WIDE_STEPS - 1});
    for (size_t i = first_series; i < first_series + SERVE_WIDE_BATCH; i++) {
        snprintf(metric, sizeof metric, "m%05zu", i);
        for (int64_t step = 0; step < SERVE_WIDE_STEPS; step++)
            put(batch, (struct place){SERVE_WIDE, 0, step, 1}, metric, loss_at(step));
    }
}
