/* Values of layers, waiting for those of the others; see cross_section.h. */
#include "daemon/detectors/cross_section.h"

#include <math.h>
#include <stdlib.h>

struct value {
    int64_t step;
    struct cross_sections_value given;
};

struct giver {
    int64_t layer;
    int64_t newest;
    bool awaited;
    bool holds;          /* a value of a step that is past */
    struct value held;   /* the newest of them */
    double share_before; /* what the one before it was of its limit; 0: it had none */
    bool late;           /* it came after its step was past, and no section has it yet */
    bool fresh;          /* it came for the newest section */
    size_t first, count; /* of the values that wait, in a ring */
    struct value waiting[CROSS_SECTION_LAG];
};

struct cross_sections {
    size_t count, room;
    struct giver *givers;
    double *scratch;   /* room for one value of each giver */
    int64_t closed;    /* all steps up to here are past; -1: none */
    int64_t next;      /* the earliest step that waits; -1: none */
    int64_t newest[3]; /* steps of values, the last one first; -1: none */
    bool full;         /* the next step is waited for no longer */
    /* Where to look first, so that a step of many layers does not search all for each. */
    size_t came, lagging;
};

struct cross_sections *cross_sections_new(void)
{
    struct cross_sections *together = calloc(1, sizeof *together);
    if (together == NULL)
        return NULL;
    together->closed = together->next = -1;
    for (size_t i = 0; i < 3; i++)
        together->newest[i] = -1;
    return together;
}

void cross_sections_free(struct cross_sections *together)
{
    if (together == NULL)
        return;
    free(together->givers);
    free(together->scratch);
    free(together);
}

static int make_room(struct cross_sections *together)
{
    if (together->count < together->room)
        return 0;
    size_t room = together->room ? 2 * together->room : 16;
    struct giver *givers = realloc(together->givers, room * sizeof givers[0]);
    if (givers == NULL)
        return -1;
    together->givers = givers;
    double *scratch = realloc(together->scratch, room * sizeof scratch[0]);
    if (scratch == NULL)
        return -1;
    together->scratch = scratch;
    together->room = room;
    return 0;
}

/* Layers mostly come in the order in which they came before. */
static struct giver *giver_of(struct cross_sections *together, int64_t layer)
{
    for (size_t i = 0; i < together->count; i++) {
        size_t at = (together->came + i) % together->count;
        if (together->givers[at].layer == layer) {
            together->came = at;
            return &together->givers[at];
        }
    }
    return NULL;
}

int cross_sections_arrive(struct cross_sections *together, int64_t layer, int64_t step)
{
    struct giver *giver = giver_of(together, layer);
    if (giver == NULL) {
        if (make_room(together) != 0)
            return -1;
        giver = &together->givers[together->count++];
        *giver = (struct giver){.layer = layer};
    }
    giver->awaited = step >= together->closed;
    giver->newest = step;
    return 0;
}

static const struct value *oldest(const struct giver *giver)
{
    return giver->count > 0 ? &giver->waiting[giver->first] : NULL;
}

/* Three steps of values and so many steps later, whichever layers they are of: those of a model that
 * is sampled in turn each have one in all that time. */
static bool is_overdue(const struct cross_sections *together)
{
    return together->next >= 0 && together->newest[2] >= together->next &&
           together->newest[0] - together->next >= CROSS_SECTION_LAG_STEPS;
}

static void note_newest(struct cross_sections *together, int64_t step)
{
    if (step <= together->newest[0])
        return;
    together->newest[2] = together->newest[1];
    together->newest[1] = together->newest[0];
    together->newest[0] = step;
}

static void drop_oldest(struct giver *giver)
{
    giver->first = (giver->first + 1) % CROSS_SECTION_LAG;
    giver->count--;
}

static double share_of(const struct cross_sections_value *value)
{
    return value->limit > 0 ? value->value / value->limit : 0;
}

static void hold(struct giver *giver, const struct value *value)
{
    giver->share_before = giver->holds ? share_of(&giver->held.given) : 0;
    giver->holds = true;
    giver->held = *value;
}

void cross_sections_put(struct cross_sections *together, int64_t layer, int64_t step,
    const struct cross_sections_value *value)
{
    struct giver *giver = giver_of(together, layer);
    if (giver == NULL)
        return;
    if (step <= together->closed) { /* too late for its step, not for those to come */
        hold(giver, &(struct value){step, *value});
        giver->late = true;
        return;
    }
    if (giver->count == CROSS_SECTION_LAG)
        drop_oldest(giver);
    size_t at = (giver->first + giver->count++) % CROSS_SECTION_LAG;
    giver->waiting[at] = (struct value){step, *value};
    if (together->next < 0 || step < together->next)
        together->next = step;
    note_newest(together, step);
    together->full |= giver->count == CROSS_SECTION_LAG || is_overdue(together);
}

static void find_next(struct cross_sections *together)
{
    together->next = -1;
    together->full = false;
    for (size_t i = 0; i < together->count; i++) {
        const struct value *value = oldest(&together->givers[i]);
        together->full |= together->givers[i].count == CROSS_SECTION_LAG;
        if (value != NULL && (together->next < 0 || value->step < together->next))
            together->next = value->step;
    }
    together->full |= is_overdue(together);
}

static bool all_there(struct cross_sections *together, int64_t step)
{
    for (size_t i = 0; i < together->count; i++) {
        size_t at = (together->lagging + i) % together->count;
        if (together->givers[at].awaited && together->givers[at].newest < step) {
            together->lagging = at;
            return false;
        }
    }
    return true;
}

/* True if the place is free, or what holds it comes after this value. */
static bool is_ahead(const struct cross_section *section, size_t at, int64_t layer, double value)
{
    return section->top[at].layer == 0 || value > section->top[at].value ||
           (!(value < section->top[at].value) && layer < section->top[at].layer);
}

static void rank(struct cross_section *section, int64_t layer, double value)
{
    size_t at = CROSS_SECTION_TOP;
    while (at > 0 && is_ahead(section, at - 1, layer, value))
        at--;
    for (size_t i = CROSS_SECTION_TOP - 1; i > at; i--)
        section->top[i] = section->top[i - 1];
    if (at < CROSS_SECTION_TOP) {
        section->top[at].layer = layer;
        section->top[at].value = value;
    }
}

static void note_alone(struct cross_section *section, const struct giver *giver)
{
    const struct cross_sections_value *value = &giver->held.given;
    if (!(value->limit > 0))
        return;
    double lead = share_of(value) - section->alone.value / section->alone.limit;
    if (section->alone.layer != 0 &&
        !(lead > 0 || (lead >= 0 && giver->layer < section->alone.layer)))
        return;
    section->alone.layer = giver->layer;
    section->alone.value = value->value;
    section->alone.limit = value->limit;
    section->alone.confirmation = value->confirmation;
    section->alone.share_before = giver->share_before;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* True if the layer has a value of this step, which is then the one that it holds. */
static bool take(struct giver *giver, int64_t step)
{
    const struct value *value = oldest(giver);
    if (value == NULL || value->step != step)
        return false;
    hold(giver, value);
    drop_oldest(giver);
    return true;
}

/* In shares of the steps that it looked back. */
static double age_of(const struct giver *giver, int64_t step)
{
    double age = giver->holds ? (double)(step - giver->held.step) : INFINITY;
    return age > 0 ? age / giver->held.given.window : 0;
}

/* Those that did not stop coming: who still does came in the last turn, whatever its part of it. */
static size_t count_known(
    const struct cross_sections *together, const struct cross_section *section)
{
    size_t known = 0;
    for (size_t i = 0; i < together->count; i++) {
        double silent = (double)(section->step - together->givers[i].newest);
        known += silent <= CROSS_SECTION_KNOWN * section->window;
    }
    return known;
}

static void collect(struct cross_sections *together, int64_t step, struct cross_section *section)
{
    *section = (struct cross_section){.step = step, .together = together};
    for (size_t i = 0; i < together->count; i++) {
        struct giver *giver = &together->givers[i];
        const struct cross_sections_value *value = &giver->held.given;
        giver->fresh = take(giver, step) || giver->late;
        giver->late = false;
        giver->awaited &= giver->newest >= step;
        if (!(age_of(giver, step) <= CROSS_SECTION_STANDS))
            continue;
        together->scratch[section->count++] = value->value;
        section->time = fmax(section->time, value->time);
        section->window = fmax(section->window, value->window);
        rank(section, giver->layer, value->value);
        if (giver->fresh)
            note_alone(section, giver);
    }
    section->known = count_known(together, section);
    qsort(together->scratch, section->count, sizeof together->scratch[0], by_value);
    section->median = together->scratch[(section->count - 1) / 2];
    size_t upper = section->count > 8 ? (section->count + 3) / 4 : 2;
    section->quarter =
        together->scratch[section->count - (upper < section->count ? upper : section->count)];
}

double cross_section_age(const struct cross_section *section, int64_t layer)
{
    const struct giver *giver = giver_of(section->together, layer);
    return giver == NULL ? INFINITY : giver->fresh ? 0 : age_of(giver, section->step);
}

void cross_sections_forget(struct cross_sections *together, int64_t layer)
{
    struct giver *giver = giver_of(together, layer);
    if (giver == NULL)
        return;
    *giver = together->givers[--together->count];
    find_next(together);
}

bool cross_sections_next(
    struct cross_sections *together, int64_t until, struct cross_section *section)
{
    int64_t step = together->next;
    if (step < 0 || (!together->full && (step > until || !all_there(together, step))))
        return false;
    together->closed = step;
    collect(together, step, section);
    find_next(together);
    return true;
}
