/* The states of a track as a table of moves. */
#include "daemon/alerts/track.h"

#include <math.h>
#include <string.h>

static bool is_bad(const struct track *track, const struct rule_patience *patience, int64_t step)
{
    return track->bad.samples > 0;
}

static bool is_not_bad(
    const struct track *track, const struct rule_patience *patience, int64_t step)
{
    return !is_bad(track, patience, step);
}

static bool is_long_enough(
    const struct streak *streak, const struct rule_patience *patience, int64_t step)
{
    return streak->samples >= patience->fire_samples &&
           (double)(step - streak->since) >= patience->fire_steps;
}

static bool is_bad_enough(
    const struct track *track, const struct rule_patience *patience, int64_t step)
{
    return is_long_enough(&track->bad, patience, step);
}

static bool is_good_enough(
    const struct track *track, const struct rule_patience *patience, int64_t step)
{
    return track->good.samples >= patience->resolve_samples &&
           (double)(step - track->good.since) >= patience->resolve_steps;
}

static const struct {
    enum track_state from, to;
    bool (*when)(const struct track *track, const struct rule_patience *patience, int64_t step);
} moves[] = {
    {TRACK_OBSERVING, TRACK_PENDING, is_bad},
    {TRACK_PENDING, TRACK_OBSERVING, is_not_bad},
    {TRACK_PENDING, TRACK_FIRING, is_bad_enough},
    {TRACK_FIRING, TRACK_OBSERVING, is_good_enough},
};

void track_init(struct track *track)
{
    memset(track, 0, sizeof *track);
    track->judged_step = -1;
}

static void streak_put(struct streak *streak, bool goes_on, int64_t step)
{
    if (!goes_on)
        streak->samples = 0;
    else if (streak->samples++ == 0)
        streak->since = step;
}

struct spell *track_open(struct track *track)
{
    if (track->spell_count == 0 || track->spells[track->spell_count - 1].ended_step != SPELL_OPEN)
        return NULL;
    return &track->spells[track->spell_count - 1];
}

bool track_is_worse(double score, double reported)
{
    return score > fmax(TRACK_WORSE * reported, 0);
}

static void spell_report(struct spell *spell, const struct judgement *judgement)
{
    memcpy(spell->evidence, judgement->evidence, sizeof spell->evidence);
    spell->evidence_count = judgement->evidence_count;
    spell->reported_score = judgement->score;
}

/* True if it has new evidence. */
static bool spell_worsen(struct spell *spell, const struct judgement *judgement)
{
    spell->bad_step = judgement->step;
    spell->bad_time = judgement->time;
    if (judgement->score > spell->score)
        spell->score = judgement->score;
    if (!track_is_worse(judgement->score, spell->reported_score))
        return false;
    spell_report(spell, judgement);
    return true;
}

static struct spell *spell_push(struct track *track)
{
    if (track->spell_count == SPELLS_MAX) {
        memmove(track->spells, track->spells + 1, (SPELLS_MAX - 1) * sizeof track->spells[0]);
        track->spell_count--;
    }
    return &track->spells[track->spell_count++];
}

static bool goes_on(const struct spell *spell, double cooldown, int64_t step)
{
    return !spell->closed && (double)(step - spell->ended_step) < cooldown;
}

bool track_begin(struct track *track, double cooldown, const struct judgement *judgement)
{
    if (track_open(track) != NULL)
        return false;
    track->state = TRACK_FIRING;
    if (track->spell_count > 0 &&
        goes_on(&track->spells[track->spell_count - 1], cooldown, judgement->step)) {
        struct spell *spell = &track->spells[track->spell_count - 1];
        spell->ended_step = SPELL_OPEN;
        spell_worsen(spell, judgement);
        return true;
    }
    struct spell *spell = spell_push(track);
    *spell = (struct spell){
        .first_step = track->bad.samples > 0 ? track->bad.since : judgement->step,
        .fired_step = judgement->step,
        .fired_time = judgement->time,
        .ended_step = SPELL_OPEN,
        .score = judgement->score,
    };
    spell_report(spell, judgement);
    spell_worsen(spell, judgement);
    return true;
}

bool track_end(struct track *track, int64_t step, double time)
{
    struct spell *spell = track_open(track);
    track->state = TRACK_OBSERVING;
    track->bad.samples = track->good.samples = track->critical.samples = 0;
    if (spell == NULL)
        return false;
    spell->ended_step = step;
    spell->ended_time = time;
    return true;
}

static bool enter(struct track *track, enum track_state to, const struct rule_patience *patience,
    const struct judgement *judgement)
{
    enum track_state from = track->state;
    track->state = to;
    if (to == TRACK_FIRING)
        return track_begin(track, patience->cooldown, judgement);
    return from == TRACK_FIRING && track_end(track, judgement->step, judgement->time);
}

/* True if the open spell became critical. */
static bool escalate(
    struct track *track, const struct rule_patience *patience, const struct judgement *judgement)
{
    struct spell *open = track_open(track);
    if (open == NULL || open->critical || track->critical.samples == 0 ||
        !is_long_enough(&track->critical, patience, judgement->step))
        return false;
    open->critical = true;
    spell_report(open, judgement);
    return true;
}

bool track_judge(
    struct track *track, const struct rule_patience *patience, const struct judgement *judgement)
{
    bool changed = false;
    track->judged_step = judgement->step;
    if (judgement->verdict == VERDICT_NONE)
        return false;
    streak_put(&track->bad, judgement->verdict == VERDICT_BAD, judgement->step);
    streak_put(&track->good, judgement->verdict == VERDICT_GOOD, judgement->step);
    streak_put(&track->critical, judgement->verdict == VERDICT_BAD && judgement->critical,
        judgement->step);
    struct spell *open = track_open(track);
    if (open != NULL && judgement->verdict == VERDICT_BAD)
        changed = spell_worsen(open, judgement);
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (moves[i].from == track->state && moves[i].when(track, patience, judgement->step))
            changed |= enter(track, moves[i].to, patience, judgement);
    return escalate(track, patience, judgement) || changed;
}
