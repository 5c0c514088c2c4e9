"""The special cases and constants of the rules, each with what drops it."""

from __future__ import annotations

from dataclasses import dataclass

D = "daemon/detectors/"

LAYERS = ("spectral.sigma1", "spectral.residual", "sa.diversity")
METRICS = {  # what each rule reads; sigma_growth is critical by what loss_high finds
    "sigma_growth": (*LAYERS, "lr"),
    "loss_high": ("loss",),
    "lr_runaway": ("lr",),
    "gradient": ("loss", "grad_norm", "lr"),
    "nonfinite": ("loss", "grad_norm", "weights.nonfinite", "activation.nonfinite"),
    "rotation_still": ("rotation.from_init", "lr", "loss"),
    "alignment_collapse": ("sa.diversity",),
    "cosine_shift": ("gate.in_out.p50",),
    "rotation_runaway": ("rotation.from_init", "lr"),
}
# Rules that are judged by themselves.
APART = [("sigma_growth", "loss_high"), ("lr_runaway",), ("gradient",), ("nonfinite",), ("rotation_still",)]
APART_OF = {rule: rules for rules in APART for rule in rules} | {"loss_high": ("sigma_growth", "loss_high")}
# Cases named by what rules share.
PARTS = {
    "clock": ("sigma_growth", "loss_high"),
    "plateau": ("sigma_growth", "loss_high", "lr_runaway"),
    "growth": ("sigma_growth", "loss_high"),
    "all layers": ("sigma_growth", "loss_high"),
    "one layer": ("sigma_growth", "loss_high"),
    "witness": ("sigma_growth", "loss_high"),
    "descent": ("sigma_growth", "loss_high", "gradient"),
}


@dataclass(frozen=True)
class Case:
    name: str
    settings: tuple[str, ...] = ()
    patches: tuple[tuple[str, str, str], ...] = ()  # (file, text, in its place)

    @property
    def rules(self) -> tuple[str, ...]:
        """Those that can judge otherwise without it."""
        return PARTS.get(self.name.partition(":")[0]) or APART_OF[self.name.split(".")[0].split(":")[0].split()[0]]

    @property
    def by(self) -> str:
        return " ".join(f"`{text}`" for text in self.settings) or "patch"


def by_setting(name: str, *settings: str) -> Case:
    return Case(name, settings)


def by_patch(name: str, *patches: tuple[str, str, str]) -> Case:
    return Case(name, patches=patches)


CASES = [
    # --- whole rules and halves of rules
    by_setting("sigma_growth", "sigma_growth.mode=off"),
    by_setting("sigma_growth: all layers", "sigma_growth.together=100", "sigma_growth.together_critical=100",
               "sigma_growth.exponential=100"),
    by_setting("sigma_growth: one layer", "sigma_growth.elasticity=100", "sigma_growth.unwitnessed=100"),
    by_setting("lr_runaway", "lr_runaway.mode=off"),
    by_setting("gradient", "gradient.mode=off"),
    by_setting("gradient: level", "gradient.ratio=1e6"),
    by_setting("gradient: bursts", "gradient.bursts=1e6"),
    by_setting("loss_high", "loss_high.mode=off"),
    by_setting("loss_high: jump", "loss_high.jump=1000", "loss_high.critical=1000"),
    by_setting("loss_high: climb", "loss_high.climb=1000", "loss_high.critical=1000"),
    by_setting("rotation_still", "rotation_still.mode=off"),
    by_setting("nonfinite", "nonfinite.mode=off"),
    # --- sigma_growth
    by_setting("sigma_growth.together_rise", "sigma_growth.together_rise=0"),
    by_setting("sigma_growth.pair", "sigma_growth.pair=0.1"),
    by_setting("sigma_growth.exponential", "sigma_growth.exponential=100"),
    by_setting("sigma_growth.exponential_arm_steps", "sigma_growth.exponential_arm_steps=1"),
    by_setting("sigma_growth.together_resolve", "sigma_growth.together_resolve=1.2"),
    by_setting("sigma_growth.together_critical", "sigma_growth.together_critical=100"),
    by_setting("sigma_growth.together_critical_loss", "sigma_growth.together_critical_loss=0"),
    by_setting("sigma_growth.together_arm_steps", "sigma_growth.together_arm_steps=1"),
    by_setting("sigma_growth.elasticity_rise", "sigma_growth.elasticity_rise=0"),
    by_setting("sigma_growth.elasticity_resolve", "sigma_growth.elasticity_resolve=5"),
    by_setting("sigma_growth.diversity", "sigma_growth.diversity=0"),
    by_setting("sigma_growth.unwitnessed", "sigma_growth.unwitnessed=5"),
    by_setting("sigma_growth.lookback_samples", "sigma_growth.lookback_samples=1"),
    by_setting("sigma_growth.arm_steps", "sigma_growth.arm_steps=1"),
    by_setting("sigma_growth arm_steps of one layer as of all", "sigma_growth.arm_steps=200"),
    by_setting("sigma_growth patience", "sigma_growth.fire_samples=1", "sigma_growth.fire_steps=0"),
    by_patch("clock: none, steps count",
             (D + "training_clock.c", "if (clock->recent_count == 0 || clock->reading <= 0)", "if (1)")),
    by_patch("clock: no ceiling",
             (D + "training_clock.c", "clock->ceiling > 0 ? fmin(lr, clock->ceiling) : lr", "lr")),
    by_patch("clock: a raised rate that stands",
             (D + "training_clock.c", "if (clock->highest <= 0 || clock->raised ||", "if (1 || clock->raised ||")),
    by_patch("clock: at most fourfold", (D + "training_clock.h", "CLOCK_RAISE   4.0", "CLOCK_RAISE   1e9")),
    by_patch("clock: a slip of the warm-up", (D + "training_clock.c", "LEAP_MAX     10.0", "LEAP_MAX     1e9")),
    by_patch("plateau: longer where it has fallen", (D + "training_clock.c", "FALLEN_SHARE 0.7", "FALLEN_SHARE 0.25")),
    by_patch("plateau: sooner where it stands", (D + "training_clock.c", "STANDS_SHARE 0.25", "STANDS_SHARE 0.7")),
    by_patch("clock: 50 steps of a plateau", (D + "training_clock.h", "CLOCK_PLATEAU 50.0", "CLOCK_PLATEAU 0.0")),
    by_patch("clock: recent entries beside the thinned",
             (D + "training_clock.c", "bool reached = clock->recent[oldest].t <= t;", "bool reached = clock->recent[oldest].t > 1e300;")),
    by_patch("growth: the warm-up asks for the critical",
             (D + "training_clock.c", "return clock->started && (clock->ceiling <= 0 || t < clock->ceiling_t);", "return false;")),
    by_patch("all layers: the clock only explains",
             (D + "median_growth.c", "double explained = fmin(1, by_clock);", "double explained = by_clock;")),
    by_patch("all layers: any past where there is none of late",
             (D + "median_growth.c", "return isnan(past) ? history_largest(&state->growth, 0, PAST_TO * t, PAST_LEAST) : past;",
              "return past;")),
    by_patch("all layers: a clock that moved enough", (D + "median_growth.c", "if (moved >= MOVED_LEAST)", "if (moved > 0)")),
    by_patch("all layers: usual growth is good",
             (D + "median_growth.c", "bool usual = growth < limits->level && growth - past < limits->rise / 2;",
              "bool usual = false;")),
    by_patch("all layers: half of those that come", (D + "median_growth.c", "2 * panel->count < panel->known || ", "")),
    by_patch("all layers: two are company",
             (D + "median_growth.c", "(pair ? LAYERS_GROWTH_PAIR : TOGETHER_COMPANY)", "TOGETHER_COMPANY")),
    by_patch("one layer: the clock only explains",
             (D + "layer_growth.c", "fmin(1, log(t / before) / moved)", "log(t / before) / moved")),
    by_patch("one layer: its own samples",
             (D + "layer_growth.c", "if (awaited && !(bad && panel->alone.share_before > 1))", "if (awaited && false)")),
    by_patch("growth: what makes good a loss",
             (D + "elasticity.c", "largest.value = fmax(largest.value, anchor->value);", "")),
    by_patch("growth: half of earlier peaks", (D + "elasticity.c", "PEAK_SHARE 0.5", "PEAK_SHARE 0.0")),
    by_patch("witness: only of late",
             (D + "growth_elasticity.c", "return t - state->last[i].t <= window ? state->last[i].diversity : NAN;",
              "return state->last[i].diversity;")),
    # --- lr_runaway
    by_setting("lr_runaway.leap", "lr_runaway.leap=1e6"),
    by_setting("lr_runaway.rises", "lr_runaway.rises=1"),
    by_setting("lr_runaway.rise_steps", "lr_runaway.rise_steps=0"),
    by_setting("lr_runaway.ratio_resolve", "lr_runaway.ratio_resolve=2"),
    by_setting("lr_runaway patience", "lr_runaway.fire_samples=1", "lr_runaway.fire_steps=0"),
    by_patch("lr_runaway: a guessed plateau", (D + "lr_runaway.c", "    if (state->guessed)\n        return leap * leap;\n", "")),
    by_patch("lr_runaway: half of the rise in one", (D + "lr_runaway.c", "#define LEAP_SHARE    0.5", "#define LEAP_SHARE    9.0")),
    by_patch("lr_runaway: 100 steps of a plateau", (D + "lr_runaway.c", "#define PLATEAU_STEPS 100.0", "#define PLATEAU_STEPS 50.0")),
    # --- gradient
    by_setting("gradient.loss_rise", "gradient.loss_rise=0"),
    by_setting("gradient.burst_loss_rise", "gradient.burst_loss_rise=0.08"),
    by_setting("gradient.loss_noise", "gradient.loss_noise=0"),
    by_setting("gradient.loss_peaks", "gradient.loss_peaks=0"),
    by_setting("gradient.ratio_resolve", "gradient.ratio_resolve=2"),
    by_setting("gradient.arm_steps", "gradient.arm_steps=0"),
    by_setting("gradient patience", "gradient.fire_samples=1", "gradient.fire_steps=0"),
    by_patch("gradient: a raised rate explains", (D + "gradient.c", ".explained = was_raised(state, t),", ".explained = false,")),
    by_patch("gradient: in proportion to the loss", (D + "gradient.c", ".ratio = exp(level - past) / risen,", ".ratio = exp(level - past),")),
    by_patch("gradient: a steady rate of bursts",
             (D + "gradient.c", " && finding->bursts > 2 * finding->steady", "")),
    # --- loss_high
    by_setting("loss_high.jump_peaks", "loss_high.jump_peaks=0"),
    by_setting("loss_high.climb_peaks", "loss_high.climb_peaks=0"),
    by_setting("loss_high.climb_steps", "loss_high.climb_steps=0"),
    by_setting("loss_high.resolve", "loss_high.resolve=0.35"),
    by_setting("loss_high.critical_steps", "loss_high.critical_steps=0"),
    by_setting("loss_high.critical", "loss_high.critical=1000"),
    by_setting("loss_high.noise", "loss_high.noise=0"),
    by_setting("loss_high.arm_steps", "loss_high.arm_steps=0"),
    by_patch("loss_high: a jump is new", (D + "loss_high.c", "#define FRESH_SHARE   0.5", "#define FRESH_SHARE   0.0")),
    by_patch("loss_high: a climb that heals", (D + "loss_high.c", "#define CLIMB_HEALING 0.9", "#define CLIMB_HEALING 0.0")),
    by_patch("loss_high: a known height", (D + "loss_high.c", "#define KNOWN_MARGIN  1.25", "#define KNOWN_MARGIN  0.0")),
    by_patch("loss_high: a quarter above the known", (D + "loss_high.c", "#define KNOWN_MARGIN  1.25", "#define KNOWN_MARGIN  1.0")),
    by_patch("loss_high: nature has a limit", (D + "loss_high.c", "#define NATURE_MAX    5.0", "#define NATURE_MAX    1e9")),
    by_patch("loss_high: what is told is not its own past",
             (D + "loss_high.c", "double usual = state->told ? state->usual : fmin(", "double usual = fmin(")),
    by_patch("loss_high: all but one", (D + "loss_high.c", "return taken == JUMP_VALUES ? next : lowest;", "return lowest;")),
    by_patch("loss_high: heights of the first steps",
             (D + "loss_high.c", "note_course(state, verdict, &finding, armed);", "if (armed)\n        note_course(state, verdict, &finding, armed);")),
    by_patch("descent: a resumed way", (D + "descent.c", "RESUMED_WAY  0.3", "RESUMED_WAY  0.0")),
    by_patch("descent: 1.7 of the lowest", (D + "descent.c", "LOWEST_SHARE 1.7", "LOWEST_SHARE 0.0")),
    by_patch("descent: a jump does not spoil the noise", (D + "descent.c", "NOISE_CLIP   3.0", "NOISE_CLIP   1e9")),
    by_patch("descent: a height is reached twice", (D + "descent.c", "PEAK_TIMES   2", "PEAK_TIMES   1")),
    # --- rotation_still, nonfinite
    by_setting("nonfinite.grad_norm_samples", "nonfinite.grad_norm_samples=1"),
    by_patch("rotation_still: no learning rate", (D + "rotation.c", "!is_idle(&state->by_lr, t) && ", "")),
    by_patch("rotation_still: no loss", (D + "rotation.c", " && !is_idle(&state->by_loss, t)", "")),
    by_patch("rotation_still: twice as long as ever", (D + "rotation.c", "stretch > 2 * state->longest", "stretch > 0")),
    by_patch("rotation_still: from step 200 on", (D + "rotation.c", "if (!state->changed || t < settings->rotation.arm_steps)", "if (!state->changed)")),
    by_setting("rotation_still: 1000 steps", "rotation_still.fire_steps=0"),
]
