/* Growing arrays of what was found; see findings.h. */
#include "daemon/block/findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/analysis/spectrum_export.h"
#include "daemon/analysis/undefined.h"

/* Room for one more element; false (and findings->failed) when memory is short. */
static bool grow_array(
    struct findings *findings, void **array, size_t *capacity, size_t count, size_t size)
{
    size_t wanted = *capacity ? 2 * *capacity : 16;
    void *grown;

    if (count < *capacity)
        return true;
    grown = realloc(*array, wanted * size);
    if (!grown) {
        findings->failed = true;
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}

#define ROOM(f, name)                                                                              \
    grow_array(                                                                                    \
        f, (void **)&(f)->name##s, &(f)->name##_capacity, (f)->name##_count, sizeof *(f)->name##s)

void findings_put_optional(const struct place *place, const char *metric, double value)
{
    struct findings *findings = place->findings;
    struct figure *figure;

    if (!analysis_is_defined(value) || !ROOM(findings, figure))
        return;
    figure = &findings->figures[findings->figure_count++];
    *figure = (struct figure){.run = place->run,
        .layer = place->layer,
        .step = place->step,
        .time = place->time,
        .value = value,
        .attempt = place->attempt};
    snprintf(figure->metric, sizeof figure->metric, "%s", metric);
}

void findings_put(const struct place *place, const char *metric, double value)
{
    if (!analysis_is_defined(value))
        place->findings->undefined++;
    findings_put_optional(place, metric, value);
}

void findings_put_bins(const struct place *place, const char *metric, const struct bins *bins)
{
    struct findings *findings = place->findings;
    struct histogram *histogram;

    if (!ROOM(findings, histogram))
        return;
    histogram = &findings->histograms[findings->histogram_count++];
    *histogram = (struct histogram){.run = place->run,
        .layer = place->layer,
        .step = place->step,
        .time = place->time,
        .attempt = place->attempt};
    snprintf(histogram->metric, sizeof histogram->metric, "%s", metric);
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        histogram->counts[i] = bins->count[i] < UINT32_MAX ? (uint32_t)bins->count[i] : UINT32_MAX;
}

void findings_put_distribution(
    const struct place *place, const char *prefix, const struct distribution *d, bool std)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"mean", d->mean}, {"p05", d->p05}, {"p25", d->p25}, {"p50", d->p50},
        {"p75", d->p75}, {"p95", d->p95}};
    char metric[FIGURE_METRIC_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(metric, sizeof metric, "%s.%s", prefix, parts[i].name);
        findings_put(place, metric, parts[i].value);
    }
    if (std) {
        snprintf(metric, sizeof metric, "%s.std", prefix);
        findings_put(place, metric, d->std);
    }
}

void findings_put_tracker(const struct place *place, const struct spectrum *spectrum)
{
    struct findings *findings = place->findings;
    size_t size = spectrum_export_size(spectrum);
    void *state = malloc(size);

    if (!state || !ROOM(findings, tracker)) {
        free(state);
        return;
    }
    spectrum_export(spectrum, state);
    findings->trackers[findings->tracker_count++] = (struct tracker_row){.layer = place->layer,
        .attempt = place->attempt,
        .step = place->step,
        .state = state,
        .size = size};
}

void findings_put_baseline(const struct place *place, const struct baseline_row *row)
{
    struct findings *findings = place->findings;

    if (ROOM(findings, baseline))
        findings->baselines[findings->baseline_count++] = *row;
}

void findings_put_damage(const struct place *place, const char *text)
{
    struct findings *findings = place->findings;
    struct baseline_damage *damage;

    if (!ROOM(findings, damage))
        return;
    damage = &findings->damages[findings->damage_count++];
    damage->layer = place->layer;
    snprintf(damage->text, sizeof damage->text, "%s", text);
}

void findings_clear(struct findings *findings)
{
    for (size_t i = 0; i < findings->tracker_count; i++)
        free(findings->trackers[i].state);
    free(findings->figures);
    free(findings->histograms);
    free(findings->trackers);
    free(findings->baselines);
    free(findings->damages);
    memset(findings, 0, sizeof *findings);
}
