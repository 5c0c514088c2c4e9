/* One sentence on what was found, where and since when; one on what usually causes it. */
#include "daemon/alerts/wording.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/utf8.h"

#define WHERE_MAX 320

struct wording {
    const char *where; /* "the run", or a layer and how many more */
    const struct spell *worst;
    const char *text;
};

void wording_print(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length >= size)
        out[utf8_whole(out, size - 1)] = '\0';
}

/* A figure for "%.2f": "-0.00" would make a reader wonder. */
static double signless_zero(double figure)
{
    return fabs(figure) < 0.005 ? 0.0 : figure;
}

static void describe_nonfinite_gradients(char *out, size_t size, const struct wording *wording)
{
    wording_print(out, size,
        "No gradient norm has been finite for so long that no loss scale explains it, found at step %" PRId64
        ". With loss scaling the optimizer skips such steps, and nothing is learned; without it the weights are lost. "
        "Usual causes: a loss scale that cannot fall any more, an overflow in 16-bit arithmetic, a division by zero in the "
        "loss. Look at the loss scale and at the batches before that step.",
        wording->worst->fired_step);
}

static void describe_nonfinite(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    if (strcmp(found->metric, "grad_norm") == 0) {
        describe_nonfinite_gradients(out, size, wording);
        return;
    }
    char count[64] = "";
    if (isfinite(found->value))
        snprintf(count, sizeof count, " = %.0f", found->value);
    wording_print(out, size,
        "NaN or infinite numbers in %s since step %" PRId64
        " (%s%s). The training will not heal by itself: usually a "
        "diverged loss, an overflow in 16-bit arithmetic, or a bad batch. Stop it and go back to a "
        "checkpoint from before "
        "that step.",
        wording->where, wording->worst->first_step, found->metric, count);
}

#define GROWTH_CAUSES                                                                              \
    "Usual causes: a learning rate too high or rising, weights or gradients rounded with a bias, " \
    "weight decay off or of the wrong sign. Look at the learning rate and at what changed before " \
    "that step, and keep a checkpoint now."

static void describe_median_growth(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *median = &wording->worst->evidence[0];
    wording_print(out, size,
        "The weights run away: since step %" PRId64
        " the spectral norms of half of all layers grow "
        "like the steps to the power of %.2f or faster (%.2f at most before; over the last %.0f "
        "steps), which tends to end in a loss explosion. " GROWTH_CAUSES,
        wording->worst->first_step, median->value, signless_zero(median->baseline), median->window);
}

static void describe_sigma_growth(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *growth = &wording->worst->evidence[0];
    if (strcmp(growth->metric, "sigma_growth.median") == 0) {
        describe_median_growth(out, size, wording);
        return;
    }
    char others[64] = "";
    if (isfinite(growth->baseline))
        snprintf(
            others, sizeof others, "half of all layers: %.2f; ", signless_zero(growth->baseline));
    wording_print(out, size,
        "The spectral norm of %s runs away: since step %" PRId64
        " it grows like the steps to the power of %.2f (%sover the last %.0f steps), which tends "
        "to end in a loss explosion. " GROWTH_CAUSES,
        wording->where, wording->worst->first_step, growth->value, others, growth->window);
}

static void describe_lr_runaway(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "The learning rate has left its plateau: %.3g at step %" PRId64
        ", %.1f times the %.3g that it had before the last %.0f steps. Usual causes: a decay of "
        "the wrong sign, a schedule in the wrong units, a warm-up that does not stop, a slip when "
        "it was changed. If this is not meant, stop it before the weights follow.",
        found->value, found->step, found->value / found->baseline, found->baseline, found->window);
}

static void describe_gradient(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "Gradient norm and loss rise together since step %" PRId64
        ": the gradient norm is %.3g, %.1f times what it was before, the loss %.4g, %.4g at its "
        "lowest. Usual causes: a fault in the backward pass, reduced precision in attention, a "
        "change of the data. Look at what changed before that step, and keep a checkpoint now.",
        wording->worst->first_step, found->value, found->value / found->baseline,
        wording->worst->evidence[1].value, wording->worst->evidence[1].baseline);
}

static void describe_rotation_still(char *out, size_t size, const struct wording *wording)
{
    wording_print(out, size,
        "No layer's weights have changed since step %" PRId64
        ", though the training goes on. Usual causes: a loss scale that makes the optimizer skip "
        "every step, updates too small for the precision of the weights, parameters that the "
        "optimizer does not hold.",
        wording->worst->first_step);
}

static void describe_alignment_collapse(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "The inputs of at least a quarter of the two-sided layers have fallen to one side of the "
        "principal direction since step %" PRId64 " (diversity down to %.2f, below %.2f; it was "
        "above %.2f before): the layers lose directions, which comes with or before "
        "a loss explosion. Look at the learning rate and at the precision of weights and "
        "gradients, and keep a checkpoint now.",
        wording->worst->first_step, found->value, found->threshold, found->baseline);
}

static void describe_loss_high(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "The loss has been well above its lowest level since step %" PRId64
        " (%.4g, threshold %.4g, lowest %.4g). Usual "
        "causes: a learning rate too high, a change or a fault in the data, an instability that "
        "other alerts of this run "
        "may place. If it does not come back, go back to an earlier checkpoint.",
        wording->worst->first_step, found->value, found->threshold, found->baseline);
}

static void describe_loss_low(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "The loss has fallen faster than training explains since step %" PRId64
        " (%.4g, %.4g at its lowest before). Usual causes: a loader that repeats one batch, a shard of repeated "
        "text, labels that leak into the inputs, a lost causal mask, an objective without a floor. If the data was changed "
        "on purpose, nothing is wrong.",
        wording->worst->first_step, found->value, found->baseline);
}

static void describe_loss_stuck(char *out, size_t size, const struct wording *wording)
{
    const struct evidence *found = &wording->worst->evidence[0];
    wording_print(out, size,
        "The loss has been exactly %.9g for %.0f steps, found at step %" PRId64
        ". Usual causes: a loss that overflowed to a constant, a batch or a label that no longer changes, gradients that "
        "are skipped, a task that is solved.",
        found->value, found->window, wording->worst->fired_step);
}

static void describe_run_lost(char *out, size_t size, const struct wording *wording)
{
    wording_print(out, size,
        "%s Last step %" PRId64 ". The training process was killed, crashed, or lost its "
        "connection: look at its log and at its node. If it will not come back: foreshock end RUN.",
        wording->text, wording->worst->fired_step);
}

static void describe_baseline_damaged(char *out, size_t size, const struct wording *wording)
{
    wording_print(out, size,
        "The kept initialization of %s cannot be used: %s. Its rotation and drift are not measured "
        "until a new "
        "initialization is declared. Look at the disk of the state directory.",
        wording->where, wording->text);
}

static void (*const describers[RULE_COUNT])(char *, size_t, const struct wording *) = {
    [RULE_NONFINITE] = describe_nonfinite,
    [RULE_SIGMA_GROWTH] = describe_sigma_growth,
    [RULE_LR_RUNAWAY] = describe_lr_runaway,
    [RULE_GRADIENT] = describe_gradient,
    [RULE_ROTATION_STILL] = describe_rotation_still,
    [RULE_ALIGNMENT_COLLAPSE] = describe_alignment_collapse,
    [RULE_LOSS_HIGH] = describe_loss_high,
    [RULE_LOSS_LOW] = describe_loss_low,
    [RULE_LOSS_STUCK] = describe_loss_stuck,
    [RULE_RUN_LOST] = describe_run_lost,
    [RULE_BASELINE_DAMAGED] = describe_baseline_damaged,
};

static void print_where(char *out, size_t size, const char *layer, size_t total)
{
    if (layer == NULL)
        layer = "the run";
    if (total > 1)
        wording_print(out, size, "%s and %zu more", layer, total - 1);
    else
        wording_print(out, size, "%s", layer);
}

void alert_describe(
    struct alert *alert, const char *layer, const struct spell *worst, const char *text)
{
    char where[WHERE_MAX];
    print_where(where, sizeof where, layer, alert->layer_total);
    const char *title = rule_table[alert->rule].title;
    if (layer == NULL)
        wording_print(alert->title, sizeof alert->title, "%s", title);
    else
        wording_print(alert->title, sizeof alert->title, "%s: %s", title, where);
    struct wording wording = {where, worst, text};
    describers[alert->rule](alert->summary, sizeof alert->summary, &wording);
}
