/* The life of one finding: what one detector says of one layer, from the first bad sample to the
 * last good one.
 *
 *                 bad                     bad, long enough
 *     observing ───────▶ pending ───────────────────────────▶ firing ──┐ not good: good ones
 *         ▲  ▲            │                                     │  ▲───┘ are counted anew
 *         │  └────────────┘ not bad                             │
 *         └─────────────────────────────────────────────────────┘ good, long enough
 *
 * Each stay in firing is a spell. A spell that begins within the cooldown of the one before is the
 * same one going on. */
#ifndef FORESHOCK_ALERTS_TRACK_H
#define FORESHOCK_ALERTS_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/rules.h"
#include "daemon/detectors/detector.h"

#define SPELL_OPEN INT64_MAX
#define SPELLS_MAX 4 /* those that wait for slower layers; older ones are forgotten */

/* So many times the score that was reported is worth a report: what goes on getting worse is then reported a few dozen times
 * at most, whatever it climbs to. */
#define TRACK_WORSE 1.25

enum track_state { TRACK_OBSERVING, TRACK_PENDING, TRACK_FIRING };

struct spell {
    int64_t first_step;             /* of the bad samples that made it fire */
    int64_t fired_step, ended_step; /* SPELL_OPEN: it goes on */
    int64_t bad_step;               /* the newest bad one */
    double fired_time, ended_time, bad_time;
    double score;          /* the worst so far */
    double reported_score; /* of the evidence */
    bool critical;         /* it was, for long enough */
    bool closed;           /* its alert was resolved */
    /* When it fired, became critical, or was last worse by TRACK_WORSE. */
    struct evidence evidence[EVIDENCE_MAX];
    size_t evidence_count;
};

bool track_is_worse(double score, double reported);

struct streak {
    double samples;
    int64_t since;
};

struct track {
    enum track_state state;
    int64_t judged_step; /* all up to here is judged; -1: nothing */
    struct streak bad, good, critical;
    size_t spell_count; /* the newest last */
    struct spell spells[SPELLS_MAX];
};

void track_init(struct track *track);

/* Takes the next judgement (its step is above the last one's). True if a spell began, ended, became
 * critical or has new evidence. */
bool track_judge(
    struct track *track, const struct rule_patience *patience, const struct judgement *judgement);

/* Begins a spell without patience; an open one goes on. True if it began. */
bool track_begin(struct track *track, double cooldown, const struct judgement *judgement);

/* Ends the open spell and observes anew. True if there was one. */
bool track_end(struct track *track, int64_t step, double time);

/* The newest spell if it is open, else NULL. */
struct spell *track_open(struct track *track);

#endif
