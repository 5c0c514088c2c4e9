/* Values of layers, waiting for those of the others; see cross_section.h. */
#include "daemon/detectors/cross_section.h"

#include <math.h>
#include <stdlib.h>

#include "daemon/detectors/order.h"

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
    struct cross_sections *sections = calloc(1, sizeof *sections);
    if (sections == NULL)
        return NULL;
    sections->closed = sections->next = -1;
    for (size_t i = 0; i < 3; i++)
        sections->newest[i] = -1;
    return sections;
}

void cross_sections_free(struct cross_sections *sections)
{
    if (sections == NULL)
        return;
    free(sections->givers);
    free(sections->scratch);
    free(sections);
}

static int make_room(struct cross_sections *sections)
{
    if (sections->count < sections->room)
        return 0;
    size_t room = sections->room ? 2 * sections->room : 16;
    struct giver *givers = realloc(sections->givers, room * sizeof givers[0]);
    if (givers == NULL)
        return -1;
    sections->givers = givers;
    double *scratch = realloc(sections->scratch, room * sizeof scratch[0]);
    if (scratch == NULL)
        return -1;
    sections->scratch = scratch;
    sections->room = room;
    return 0;
}

/* Layers mostly come in the order in which they came before. */
static struct giver *giver_of(struct cross_sections *sections, int64_t layer)
{
    for (size_t i = 0; i < sections->count; i++) {
        size_t at = (sections->came + i) % sections->count;
        if (sections->givers[at].layer == layer) {
            sections->came = at;
            return &sections->givers[at];
        }
    }
    return NULL;
}

int cross_sections_arrive(struct cross_sections *sections, int64_t layer, int64_t step)
{
    struct giver *giver = giver_of(sections, layer);
    if (giver == NULL) {
        if (make_room(sections) != 0)
            return -1;
        giver = &sections->givers[sections->count++];
        *giver = (struct giver){.layer = layer};
    }
    giver->awaited = step >= sections->closed;
    giver->newest = step;
    return 0;
}

static const struct value *oldest(const struct giver *giver)
{
    return giver->count > 0 ? &giver->waiting[giver->first] : NULL;
}

/* Three steps of values and CROSS_SECTION_LAG_STEPS later, whichever layers they are of: those of a model that
 * is sampled in turn each have one in all that time. */
static bool is_overdue(const struct cross_sections *sections)
{
    return sections->next >= 0 && sections->newest[2] >= sections->next &&
           sections->newest[0] - sections->next >= CROSS_SECTION_LAG_STEPS;
}

static void note_newest(struct cross_sections *sections, int64_t step)
{
    if (step <= sections->newest[0])
        return;
    sections->newest[2] = sections->newest[1];
    sections->newest[1] = sections->newest[0];
    sections->newest[0] = step;
}

static void drop_oldest(struct giver *giver)
{
    giver->first = (giver->first + 1) % CROSS_SECTION_LAG;
    giver->count--;
}

static void hold(struct giver *giver, const struct value *value)
{
    giver->holds = true;
    giver->held = *value;
}

void cross_sections_put(struct cross_sections *sections, int64_t layer, int64_t step,
    const struct cross_sections_value *value)
{
    struct giver *giver = giver_of(sections, layer);
    if (giver == NULL)
        return;
    if (step <= sections->closed) { /* too late for its step, not for those to come */
        hold(giver, &(struct value){step, *value});
        return;
    }
    if (giver->count == CROSS_SECTION_LAG)
        drop_oldest(giver);
    size_t at = (giver->first + giver->count++) % CROSS_SECTION_LAG;
    giver->waiting[at] = (struct value){step, *value};
    if (sections->next < 0 || step < sections->next)
        sections->next = step;
    note_newest(sections, step);
    sections->full |= giver->count == CROSS_SECTION_LAG || is_overdue(sections);
}

static void find_next(struct cross_sections *sections)
{
    sections->next = -1;
    sections->full = false;
    for (size_t i = 0; i < sections->count; i++) {
        const struct value *value = oldest(&sections->givers[i]);
        sections->full |= sections->givers[i].count == CROSS_SECTION_LAG;
        if (value != NULL && (sections->next < 0 || value->step < sections->next))
            sections->next = value->step;
    }
    sections->full |= is_overdue(sections);
}

static bool all_there(struct cross_sections *sections, int64_t step)
{
    for (size_t i = 0; i < sections->count; i++) {
        size_t at = (sections->lagging + i) % sections->count;
        if (sections->givers[at].awaited && sections->givers[at].newest < step) {
            sections->lagging = at;
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

/* A value of this step is then the one that the layer holds. */
static void take(struct giver *giver, int64_t step)
{
    const struct value *value = oldest(giver);
    if (value == NULL || value->step != step)
        return;
    hold(giver, value);
    drop_oldest(giver);
}

/* In shares of the steps that it looked back. */
static double age_of(const struct giver *giver, int64_t step)
{
    double age = giver->holds ? (double)(step - giver->held.step) : INFINITY;
    return age > 0 ? age / giver->held.given.window : 0;
}

static void collect(struct cross_sections *sections, int64_t step, struct cross_section *section)
{
    *section = (struct cross_section){.step = step};
    for (size_t i = 0; i < sections->count; i++) {
        struct giver *giver = &sections->givers[i];
        const struct cross_sections_value *value = &giver->held.given;
        take(giver, step);
        giver->awaited &= giver->newest >= step;
        if (!(age_of(giver, step) <= CROSS_SECTION_STANDS))
            continue;
        sections->scratch[section->count++] = value->value;
        section->time = fmax(section->time, value->time);
        section->window = fmax(section->window, value->window);
        rank(section, giver->layer, value->value);
    }
    order_ascending(sections->scratch, section->count);
    section->median = sections->scratch[(section->count - 1) / 2];
    size_t upper = section->count > 8 ? (section->count + 3) / 4 : 2;
    section->quarter =
        sections->scratch[section->count - (upper < section->count ? upper : section->count)];
}

void cross_sections_forget(struct cross_sections *sections, int64_t layer)
{
    struct giver *giver = giver_of(sections, layer);
    if (giver == NULL)
        return;
    *giver = sections->givers[--sections->count];
    find_next(sections);
}

bool cross_sections_next(
    struct cross_sections *sections, int64_t until, struct cross_section *section)
{
    int64_t step = sections->next;
    if (step < 0 || (!sections->full && (step > until || !all_there(sections, step))))
        return false;
    sections->closed = step;
    collect(sections, step, section);
    find_next(sections);
    return true;
}
