/* Properties on many random trainings: what the alerts say depends on the figures alone, not on the
 * order in which layers and figures of a step come, nor on a restart in between, nor on how often
 * was sampled; and no number breaks them. */
#include "tests/unit/alerts/stage.h"

#define LAYERS      8
#define STEPS       160 /* samples a series */
#define FIGURES_MAX (LAYERS * STEPS * 7 + STEPS * 3)
#define LAG_MAX                                                                                    \
    100 /* steps that a layer may be behind another: less than CROSS_SECTION_LAG samples */
/* Steps: by 200 every layer has come once, surely, and what was before is in no past (from 0.4 t). */
#define COMPARED 500
#define WORLDS   30

struct figure {
    int64_t layer, step;
    int metric;
    double value;
};

struct world {
    size_t count;
    struct figure figures[FIGURES_MAX]; /* in order of step */
};

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static double random_unit(void)
{
    return (double)random_below(1u << 30) / (double)(1u << 30);
}

static void world_put(
    struct world *world, int64_t layer, const char *metric, int64_t step, double value)
{
    assert_true(world->count < FIGURES_MAX);
    world->figures[world->count++] = (struct figure){layer, step, alert_metric_id(metric), value};
}

/* A layer changes its ways now and then: growing or not, one-sided or not, broken or not. */
struct manner {
    double sigma1, rate, diversity;
    double turned; /* from the initialization; it stands still now and then */
    bool broken;
};

static void manner_change(struct manner *manner)
{
    manner->rate = random_below(3) == 0 ? 0.008 * random_unit() : 0;
    manner->diversity = random_below(2) ? 0.1 : 0.7;
    manner->broken = random_below(6) == 0;
}

static void layer_sample(
    struct world *world, int64_t layer, int64_t step, const struct manner *manner)
{
    double diversity = manner->diversity + 0.1 * (random_unit() - 0.5);
    if (random_below(20) == 0)
        diversity = NAN;
    world_put(world, layer, "weights.nonfinite", step,
        manner->broken && random_below(2) ? 1 + random_below(9) : 0);
    if (random_below(10) != 0)
        world_put(world, layer, "spectral.sigma1", step, manner->sigma1);
    if (random_below(10) != 0)
        world_put(world, layer, "spectral.residual", step, random_below(10) ? 1e-3 : 0.5);
    if (random_below(10) != 0)
        world_put(world, layer, "sa.diversity", step, diversity);
    world_put(world, layer, "rotation.from_init", step, manner->turned);
    world_put(
        world, layer, "activation.nonfinite", step, manner->broken && random_below(9) == 0 ? 2 : 0);
}

/* One layer in each `turns` comes to a sample. */
static void world_make(struct world *world, uint64_t seed, int64_t every, int64_t turns)
{
    struct manner manners[LAYERS];
    double loss = 4, lr = 1e-3;
    random_state = seed * 1000003;
    world->count = 0;
    for (size_t i = 0; i < LAYERS; i++)
        manners[i] = (struct manner){1 + random_unit(), 0, 0.7, 0, false};
    for (int64_t step = 0; step < STEPS * every; step += every) {
        loss = random_below(40) == 0 ? exp(5 * random_unit()) : loss;
        world_put(world, 0, "loss", step, random_below(60) ? loss + 0.1 * random_unit() : NAN);
        world_put(world, 0, "grad_norm", step, random_below(4) ? 1 : INFINITY);
        lr *= random_below(50) == 0 ? 0.5 + 2 * random_unit() : 1;
        if (random_below(20) != 0)
            world_put(world, 0, "lr", step, lr);
        for (size_t i = 0; i < LAYERS; i++) {
            if (random_below(15) == 0)
                manner_change(&manners[i]);
            manners[i].sigma1 *= exp(manners[i].rate * (double)every);
            manners[i].turned += step % 800 < 400 ? 1e-3 * (1 + 10 * manners[i].rate) : 0;
            bool comes = (step / every + (int64_t)i) % turns == 0;
            if (random_below(25) != 0 && comes) /* a dropped sample now and then */
                layer_sample(world, 1 + (int64_t)i, step, &manners[i]);
        }
    }
}

static double time_of(const struct figure *figure)
{
    return 1e9 + 0.5 * (double)figure->step + 0.01 * (double)figure->layer;
}

static void feed(struct stage *stage, const struct figure *figure)
{
    alert_engine_feed(
        stage->engine, figure->layer, figure->metric, figure->step, time_of(figure), figure->value);
}

static struct stage *world_stage(void)
{
    static const char *const roles[LAYERS] = {
        "attn.q", "attn.v", "attn.o", "mlp.gate", "mlp.in", "mlp.out", "linear", "attn.v"};
    struct rule_settings settings;
    rule_settings_init(&settings);
    settings.patience[RULE_ROTATION_STILL].fire_steps = 50; /* or no world would be long enough */
    struct stage *stage = stage_new(&settings);
    for (size_t i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%zu", i);
        stage_layer(stage, 1 + (int64_t)i, name, roles[i], "b");
    }
    alert_engine_begins(stage->engine, 0);
    return stage;
}

/* All that a training's alerts said in the end, those that were resolved and those that are open; and
 * the risk along it. */
struct verdicts {
    size_t count, assessment_count;
    struct alert alerts[REPORTED_MAX];
    struct assessment assessments[STEPS];
};

static void keep_resolved(void *ctx, enum alert_change change, const struct alert *alert)
{
    struct verdicts *verdicts = ctx;
    assert_true(verdicts->count < REPORTED_MAX);
    if (change == ALERT_CHANGE_RESOLVED)
        verdicts->alerts[verdicts->count++] = *alert;
}

static void keep_assessments(struct verdicts *verdicts, struct stage *stage)
{
    while (
        verdicts->assessment_count < STEPS &&
        alert_engine_assessment(stage->engine, &verdicts->assessments[verdicts->assessment_count]))
        verdicts->assessment_count++;
}

static void drain(struct verdicts *verdicts, struct stage *stage)
{
    alert_engine_report(stage->engine, keep_resolved, verdicts);
    keep_assessments(verdicts, stage);
}

static void keep_open(struct verdicts *verdicts, struct stage *stage)
{
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const struct alert *open = alert_engine_open(stage->engine, (enum alert_rule)rule);
        if (open != NULL)
            verdicts->alerts[verdicts->count++] = *open;
    }
}

static int by_rule_and_step(const void *left, const void *right)
{
    const struct alert *a = left, *b = right;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    return (a->started_step > b->started_step) - (a->started_step < b->started_step);
}

/* The first assessment that who came first does not matter for: as long as some layer is not known it
 * is not waited for. */
static size_t begin_of(const struct verdicts *verdicts)
{
    size_t at = 0;
    while (at < verdicts->assessment_count && verdicts->assessments[at].step < COMPARED)
        at++;
    return at;
}

/* A gradient without a loss is judged when the next step begins, which may be too late for one of
 * them: a few may differ. */
static void assert_same_assessments(const struct verdicts *left, const struct verdicts *right)
{
    size_t l = begin_of(left), r = begin_of(right), differ = 0;
    assert_int_equal(left->assessment_count - l, right->assessment_count - r);
    for (; l < left->assessment_count; l++, r++) {
        assert_int_equal(left->assessments[l].step, right->assessments[r].step);
        differ += left->assessments[l].risk != right->assessments[r].risk;
    }
    assert_true(differ <= left->assessment_count / 20);
}

static void assert_same(struct verdicts *left, struct verdicts *right)
{
    assert_int_equal(left->count, right->count);
    assert_same_assessments(left, right);
    qsort(left->alerts, left->count, sizeof left->alerts[0], by_rule_and_step);
    qsort(right->alerts, right->count, sizeof right->alerts[0], by_rule_and_step);
    for (size_t i = 0; i < left->count; i++) {
        const struct alert *a = &left->alerts[i], *b = &right->alerts[i];
        assert_int_equal(a->rule, b->rule);
        assert_int_equal(a->state, b->state);
        assert_int_equal(a->started_step, b->started_step);
        assert_int_equal(a->resolved_step, b->resolved_step);
        assert_int_equal(a->last_step, b->last_step);
        assert_true(a->started_at == b->started_at && a->resolved_at == b->resolved_at &&
                    a->last_at == b->last_at);
        assert_int_equal(a->layer_total, b->layer_total);
        assert_int_equal(a->layer_count, b->layer_count);
        assert_memory_equal(a->layers, b->layers, a->layer_count * sizeof a->layers[0]);
        assert_int_equal(a->severity, b->severity);
        assert_int_equal(a->observed, b->observed);
        assert_int_equal(a->evidence_count, b->evidence_count);
        assert_string_equal(a->summary, b->summary);
        assert_string_equal(a->title, b->title);
    }
}

static void run_in_order(const struct world *world, struct verdicts *verdicts)
{
    struct stage *stage = world_stage();
    verdicts->count = verdicts->assessment_count = 0;
    for (size_t i = 0; i < world->count; i++) {
        feed(stage, &world->figures[i]);
        drain(verdicts, stage);
    }
    keep_open(verdicts, stage);
    stage_free(stage);
}

/* The figures of one layer and step lie together. Where the next ones of a layer begin;
 * world->count if none. */
static size_t next_group(const struct world *world, int64_t layer, size_t from)
{
    while (from < world->count && world->figures[from].layer != layer)
        from++;
    return from;
}

/* Feeds the figures of a group in random order. Returns where the group ends. */
static size_t feed_group_shuffled(const struct world *world, struct stage *stage, size_t begin)
{
    const struct figure *group[16];
    size_t count = 0, end = begin;
    for (; end < world->count && world->figures[end].layer == world->figures[begin].layer &&
           world->figures[end].step == world->figures[begin].step;
         end++)
        group[count++] = &world->figures[end];
    for (size_t left = count; left > 0; left--) {
        size_t pick = random_below((uint32_t)left);
        feed(stage, group[pick]);
        group[pick] = group[left - 1];
    }
    return end;
}

/* Each layer at a pace of its own, none more than LAG_MAX steps ahead of the slowest. */
static void run_shuffled(const struct world *world, struct verdicts *verdicts)
{
    struct stage *stage = world_stage();
    size_t next[LAYERS + 1];
    verdicts->count = verdicts->assessment_count = 0;
    for (int64_t layer = 0; layer <= LAYERS; layer++)
        next[layer] = next_group(world, layer, 0);
    for (;;) {
        size_t slowest = world->count, layer = random_below(LAYERS + 1);
        for (size_t i = 0; i <= LAYERS; i++)
            if (next[i] < slowest)
                slowest = next[i];
        if (slowest == world->count)
            break;
        if (next[layer] == world->count ||
            world->figures[next[layer]].step > world->figures[slowest].step + LAG_MAX)
            continue;
        next[layer] =
            next_group(world, (int64_t)layer, feed_group_shuffled(world, stage, next[layer]));
        keep_assessments(verdicts, stage);
        if (random_below(3) == 0) /* whenever the daemon gets to it */
            drain(verdicts, stage);
    }
    drain(verdicts, stage);
    keep_open(verdicts, stage);
    stage_free(stage);
}

static struct world world;
static struct verdicts expected, actual;
static size_t alerts_seen[RULE_COUNT];

static void the_order_of_figures_does_not_matter(void **state)
{
    memset(alerts_seen, 0, sizeof alerts_seen);
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        world_make(&world, seed, seed % 3 == 0 ? 20 : 10, seed % 4 == 0 ? 4 : 1);
        run_in_order(&world, &expected);
        for (size_t i = 0; i < expected.count; i++)
            alerts_seen[expected.alerts[i].rule]++;
        run_shuffled(&world, &actual);
        assert_same(&expected, &actual);
    }
    /* or the test would have shown nothing */
    assert_true(expected.assessment_count > STEPS / 4);
    assert_true(alerts_seen[RULE_NONFINITE] > WORLDS);
    assert_true(alerts_seen[RULE_SIGMA_GROWTH] > WORLDS / 2);
    assert_true(alerts_seen[RULE_ALIGNMENT_COLLAPSE] > WORLDS / 2);
    assert_true(alerts_seen[RULE_LOSS_HIGH] > WORLDS / 2);
    assert_true(alerts_seen[RULE_ROTATION_STILL] > WORLDS / 2);
}

/* Killed after any figure, rebuilt from what is stored, gone on. */
static void a_restart_does_not_matter(void **state)
{
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        world_make(&world, seed, 10, seed % 4 == 0 ? 4 : 1);
        run_in_order(&world, &expected);
        size_t killed = random_below((uint32_t)world.count);
        struct stage *stage = world_stage();
        actual.count = actual.assessment_count = 0;
        for (size_t i = 0; i < killed; i++) {
            feed(stage, &world.figures[i]);
            drain(&actual, stage);
        }
        int64_t opened[RULE_COUNT];
        for (int rule = 0; rule < RULE_COUNT; rule++) {
            const struct alert *open = alert_engine_open(stage->engine, (enum alert_rule)rule);
            opened[rule] = open == NULL ? -1 : open->started_step;
        }
        stage_free(stage);

        stage = world_stage();
        for (size_t i = 0; i < killed; i++)
            feed(stage, &world.figures[i]);
        for (int rule = 0; rule < RULE_COUNT; rule++) {
            assert_int_equal(
                alert_engine_bind(stage->engine, (enum alert_rule)rule, 1), opened[rule] >= 0);
            if (opened[rule] >= 0)
                assert_int_equal(
                    stage_open(stage, (enum alert_rule)rule)->started_step, opened[rule]);
        }
        alert_engine_discard(stage->engine);
        assert_int_equal(stage_report(stage), 0);
        for (size_t i = killed; i < world.count; i++) {
            feed(stage, &world.figures[i]);
            drain(&actual, stage);
        }
        keep_open(&actual, stage);
        assert_same(&expected, &actual);
        stage_free(stage);
    }
}

/* A training that runs away and collapses from step 1500 on, sampled at one interval. */
static void sampled(int64_t every, int64_t started[RULE_COUNT])
{
    struct stage *stage = world_stage();
    for (int64_t step = 0; step <= 4000; step += every) {
        double since = step > 1500 ? (double)(step - 1500) : 0;
        stage_figure(stage, 0, "loss", step, 2 + 3 * exp(-(double)step / 200) + 0.002 * since);
        for (int64_t layer = 1; layer <= LAYERS; layer++)
            stage_spectrum(stage, layer, step, pow((double)step + 1, 0.4) * exp(0.002 * since),
                since > 0 ? 0.1 : 0.7);
    }
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const struct alert *open = alert_engine_open(stage->engine, (enum alert_rule)rule);
        started[rule] = open == NULL ? -1 : open->started_step;
    }
    stage_free(stage);
}

static void the_sampling_interval_hardly_matters(void **state)
{
    const enum alert_rule rules[] = {RULE_SIGMA_GROWTH, RULE_ALIGNMENT_COLLAPSE, RULE_LOSS_HIGH};
    const int64_t intervals[] = {2, 5, 10, 20, 50, 100};
    int64_t finest[RULE_COUNT], coarse[RULE_COUNT];
    sampled(1, finest);
    for (size_t i = 0; i < 6; i++) {
        sampled(intervals[i], coarse);
        for (size_t j = 0; j < 3; j++) {
            assert_true(finest[rules[j]] > 1500);
            assert_true(coarse[rules[j]] > 1500);
            assert_true(llabs(coarse[rules[j]] - finest[rules[j]]) <= 20 + 5 * intervals[i]);
        }
    }
}

static double any_number(void)
{
    static const double odd[] = {
        NAN, INFINITY, -INFINITY, 0, -0.0, 1e308, -1e308, 5e-324, 1, -1, 0.5};
    return random_below(2) ? odd[random_below(sizeof odd / sizeof odd[0])]
                           : (random_unit() - 0.5) * 4;
}

static int64_t any_step(int64_t near)
{
    static const int64_t odd[] = {INT64_MAX, INT64_MAX - 1, INT64_MIN, -1, 0, 1, INT64_MAX / 2};
    return random_below(500) == 0 ? odd[random_below(sizeof odd / sizeof odd[0])]
                                  : near + random_below(20);
}

static void count_change(void *ctx, enum alert_change change, const struct alert *alert)
{
    size_t *count = ctx;
    assert_true(alert->layer_count >= 1 && alert->layer_count <= ALERT_LAYERS_MAX);
    assert_true(alert->layer_count <= alert->layer_total);
    assert_true(alert->evidence_count <= ALERT_EVIDENCE_MAX);
    assert_int_equal(alert->state == ALERT_RESOLVED, alert->resolved_step >= 0);
    ++*count;
}

static void no_number_breaks_it(void **state)
{
    size_t changes = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct stage *stage = world_stage();
        random_state = seed * 7919;
        for (int64_t i = 0; i < 2000; i++) {
            int metric = (int)random_below(12) - 1; /* one more than there are, and one less */
            feed(stage,
                &(struct figure){random_below(LAYERS + 2), any_step(i), metric, any_number()});
            if (random_below(100) == 0)
                alert_engine_condition(stage->engine, (enum alert_rule)random_below(RULE_COUNT),
                    random_below(LAYERS + 2), random_below(2), any_step(i), any_number(), "Found.");
            alert_engine_report(stage->engine, count_change, &changes);
        }
        stage_free(stage);
    }
    assert_true(changes > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_figures_does_not_matter),
        cmocka_unit_test(a_restart_does_not_matter),
        cmocka_unit_test(the_sampling_interval_hardly_matters),
        cmocka_unit_test(no_number_breaks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
