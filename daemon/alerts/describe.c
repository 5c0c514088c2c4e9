/* One sentence on what was found, where and since when; one on what usually causes it. */
#include "daemon/alerts/describe.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHERE_MAX 320

struct story {
    const char *where; /* "the run", or a layer and how many more */
    const struct spell *worst;
    const char *text;
};

void text_print(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length < size)
        return;
    size_t end = size - 1, start = end;
    while (start > 0 && ((unsigned char)out[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)out[start - 1];
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (end - (start - 1) < wanted)
        out[start - 1] = '\0';
}

static void describe_nonfinite(char *out, size_t size, const struct story *story)
{
    const struct alert_evidence *found = &story->worst->evidence[0];
    char count[64] = "";
    if (isfinite(found->value))
        snprintf(count, sizeof count, " = %.0f", found->value);
    text_print(out, size,
        "NaN or infinite numbers in %s since step %" PRId64
        " (%s%s). The training will not heal by itself: usually a "
        "diverged loss, an overflow in 16-bit arithmetic, or a bad batch. Stop it and go back to a "
        "checkpoint from before "
        "that step.",
        story->where, story->worst->first_step, found->metric, count);
}

static void describe_sigma_growth(char *out, size_t size, const struct story *story)
{
    const struct alert_evidence *sigma = &story->worst->evidence[0],
                                *diversity = &story->worst->evidence[1];
    text_print(out, size,
        "The spectral norm of %s has been growing faster than the number of steps since step "
        "%" PRId64 " (%.4g, %.4g "
        "expected at most, from %.4g %.0f steps before) while nearly all its inputs lie on one "
        "side of the principal "
        "direction (diversity %.2f): weights that run away, which tends to end in a loss "
        "explosion. Usual causes: a "
        "learning rate too high, weights or gradients rounded with a bias, weight decay off or of "
        "the wrong sign. Keep a "
        "checkpoint now.",
        story->where, story->worst->first_step, sigma->value, sigma->threshold, sigma->baseline,
        sigma->window, diversity->value);
}

static void describe_alignment_collapse(char *out, size_t size, const struct story *story)
{
    const struct alert_evidence *found = &story->worst->evidence[0];
    text_print(out, size,
        "The inputs of %s have fallen to one side of its principal direction since step %" PRId64
        " (diversity %.2f, "
        "below %.2f; it was %.2f early in the training): the layer is losing directions, which "
        "comes with or before a loss "
        "explosion. Look at the learning rate and at the precision of weights and gradients. Keep "
        "a checkpoint now.",
        story->where, story->worst->first_step, found->value, found->threshold, found->baseline);
}

static void describe_loss_high(char *out, size_t size, const struct story *story)
{
    const struct alert_evidence *found = &story->worst->evidence[0];
    text_print(out, size,
        "The loss has been well above its minimum since step %" PRId64
        " (%.4g, threshold %.4g, minimum %.4g). Usual "
        "causes: a learning rate too high, a change or a fault in the data, an instability that "
        "other alerts of this run "
        "may place. If it does not come back, go back to an earlier checkpoint.",
        story->worst->first_step, found->value, found->threshold, found->baseline);
}

static void describe_run_lost(char *out, size_t size, const struct story *story)
{
    text_print(out, size,
        "%s Last step %" PRId64 ". The training process was killed, crashed, or lost its "
        "connection: look at its log and at "
        "its node.",
        story->text, story->worst->fired_step);
}

static void describe_baseline_damaged(char *out, size_t size, const struct story *story)
{
    text_print(out, size,
        "The kept initialization of %s cannot be used: %s. Its rotation and drift are not measured "
        "until a new "
        "initialization is declared. Look at the disk of the state directory.",
        story->where, story->text);
}

static void (*const describers[RULE_COUNT])(char *, size_t, const struct story *) = {
    [RULE_NONFINITE] = describe_nonfinite,
    [RULE_SIGMA_GROWTH] = describe_sigma_growth,
    [RULE_ALIGNMENT_COLLAPSE] = describe_alignment_collapse,
    [RULE_LOSS_HIGH] = describe_loss_high,
    [RULE_RUN_LOST] = describe_run_lost,
    [RULE_BASELINE_DAMAGED] = describe_baseline_damaged,
};

static void print_where(char *out, size_t size, const char *layer, size_t total)
{
    if (layer == NULL)
        layer = "the run";
    if (total > 1)
        text_print(out, size, "%s and %zu more", layer, total - 1);
    else
        text_print(out, size, "%s", layer);
}

void alert_describe(
    struct alert *alert, const char *layer, const struct spell *worst, const char *text)
{
    char where[WHERE_MAX];
    print_where(where, sizeof where, layer, alert->layer_total);
    const char *title = rule_table[alert->rule].title;
    if (layer == NULL && alert->layer_total == 1)
        text_print(alert->title, sizeof alert->title, "%s", title);
    else
        text_print(alert->title, sizeof alert->title, "%s: %s", title, where);
    struct story story = {where, worst, text};
    describers[alert->rule](alert->summary, sizeof alert->summary, &story);
}
