"""The special cases and constants of the rules, each with what drops it or moves it."""

from __future__ import annotations

from dataclasses import dataclass

D = "daemon/detectors/"

METRICS = {  # what each rule reads; sigma_growth is critical by what loss_high finds
    "sigma_growth": ("spectral.sigma1", "spectral.residual", "lr"),
    "loss_high": ("loss",),
    "loss_low": ("loss",),
    "loss_stuck": ("loss",),
    "lr_runaway": ("lr",),
    "gradient": ("loss", "grad_norm"),
    "nonfinite": ("loss", "grad_norm", "weights.nonfinite", "activation.nonfinite"),
    "rotation_still": ("rotation.from_init",),
    "alignment_collapse": ("sa.diversity",),
}
GROWTH = ("sigma_growth", "loss_high")
APART = [GROWTH, ("lr_runaway",), ("gradient",), ("nonfinite",), ("rotation_still",), ("loss_low",), ("loss_stuck",)]  # judged by themselves
APART_OF = {rule: rules for rules in APART for rule in rules}
# Cases named by what rules share.
SHARED = {
    "clock": GROWTH,
    "elasticity": GROWTH,
    "plateau": (*GROWTH, "lr_runaway"),
    "descent": (*GROWTH, "gradient", "loss_low"),
    "plunge": (*GROWTH, "gradient", "loss_low"),
    "past": (*GROWTH, "gradient"),
}


@dataclass(frozen=True)
class Case:
    name: str
    settings: tuple[str, ...] = ()
    patches: tuple[tuple[str, str, str], ...] = ()  # (file, text, in its place)

    @property
    def rules(self) -> tuple[str, ...]:
        """Those that can judge otherwise without it."""
        first = self.name.replace(".", " ").replace(":", " ").split()[0]
        return SHARED.get(first) or APART_OF[first]

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
    by_setting("sigma_growth: all layers", "sigma_growth.median=100", "sigma_growth.median_critical=100"),
    by_setting("sigma_growth: one layer", "sigma_growth.layer=100"),
    by_setting("lr_runaway", "lr_runaway.mode=off"),
    by_setting("gradient", "gradient.mode=off"),
    by_setting("loss_high", "loss_high.mode=off"),
    by_setting("rotation_still", "rotation_still.mode=off"),
    by_setting("nonfinite", "nonfinite.mode=off"),
    # --- sigma_growth
    by_setting("sigma_growth.median lower", "sigma_growth.median=1"),
    by_setting("sigma_growth.median higher", "sigma_growth.median=1.5"),
    by_setting("sigma_growth.median_critical", "sigma_growth.median_critical=1.2"),
    by_setting("sigma_growth.median_critical_loss", "sigma_growth.median_critical_loss=0"),
    by_setting("sigma_growth.layer lower", "sigma_growth.layer=5"),
    by_setting("sigma_growth.layer higher", "sigma_growth.layer=12"),
    by_setting("sigma_growth patience", "sigma_growth.fire_samples=1", "sigma_growth.fire_steps=0"),
    by_patch("sigma_growth: a tenth above its past", (D + "median_growth.c", "#define STEEPER 1.1", "#define STEEPER 0.0")),
    by_patch("sigma_growth: two layers are a quorum", (D + "cross_section.h", "#define CROSS_SECTION_QUORUM    2", "#define CROSS_SECTION_QUORUM    3")),
    by_patch("clock: none, steps count",
             (D + "training_clock.c", "if (clock->recent_count == 0 || clock->reading <= 0)", "if (1)")),
    by_patch("clock: up to the plateau",
             (D + "training_clock.c", "clock->plateau.rate > 0 ? fmin(lr, clock->plateau.rate) : lr", "lr")),
    by_patch("clock: only explains",
             (D + "training_clock.c", "fmin(1, log(t / before) / log(now / then))", "log(t / before) / log(now / then)")),
    by_patch("plateau: 0.7 of the steps, longer", (D + "lr_plateau.c", "STANDS_SHARE 0.7", "STANDS_SHARE 0.9")),
    by_patch("plateau: 0.7 of the steps, shorter", (D + "lr_plateau.c", "STANDS_SHARE 0.7", "STANDS_SHARE 0.25")),
    by_patch("plateau: 100 steps", (D + "lr_plateau.c", "STANDS_STEPS 100.0", "STANDS_STEPS 0.0")),
    by_patch("elasticity: since 0.8 t, longer", (D + "elasticity.c", "LOOKBACK   0.8", "LOOKBACK   0.7")),
    by_patch("elasticity: since 0.8 t, shorter", (D + "elasticity.c", "LOOKBACK   0.8", "LOOKBACK   0.9")),
    by_patch("elasticity: half of earlier peaks", (D + "elasticity.c", "PEAK_SHARE 0.5", "PEAK_SHARE 0.0")),
    # --- lr_runaway
    by_setting("lr_runaway.ratio lower", "lr_runaway.ratio=1.5"),
    by_setting("lr_runaway.ratio higher", "lr_runaway.ratio=3"),
    by_setting("lr_runaway.leap", "lr_runaway.leap=1e6"),
    by_setting("lr_runaway patience", "lr_runaway.fire_samples=1", "lr_runaway.fire_steps=0"),
    by_patch("lr_runaway: five rises", (D + "lr_runaway.c", "#define RISES      5", "#define RISES      1")),
    by_patch("lr_runaway: half of the rise in one", (D + "lr_runaway.c", "#define LEAP_SHARE 0.5", "#define LEAP_SHARE 9.0")),
    by_patch("lr_runaway: small steps, both",
             (D + "lr_runaway.c", "#define RISES      5", "#define RISES      1"),
             (D + "lr_runaway.c", "#define LEAP_SHARE 0.5", "#define LEAP_SHARE 9.0")),
    # --- gradient
    by_setting("gradient.ratio higher", "gradient.ratio=3"),
    by_setting("gradient.ratio lower", "gradient.ratio=1.5"),
    by_setting("gradient.loss_rise", "gradient.loss_rise=0"),
    by_setting("gradient patience", "gradient.fire_samples=1", "gradient.fire_steps=0"),
    by_patch("gradient: above the noise of the loss", (D + "gradient.c", "LOSS_NOISE * loss->noise", "0 * LOSS_NOISE * loss->noise")),
    by_patch("gradient: in proportion to the loss", (D + "gradient.c", "double ratio = exp(level - past) / risen;", "double ratio = exp(level - past) + 0 * risen;")),
    # --- loss_high
    by_setting("loss_high.rise lower", "loss_high.rise=0.25"),
    by_setting("loss_high.rise higher", "loss_high.rise=0.5"),
    by_setting("loss_high.critical", "loss_high.critical=0.35"),
    by_setting("loss_high.arm_steps", "loss_high.arm_steps=0"),
    by_patch("loss_high: six losses", (D + "loss_high.c", "#define JUMP_VALUES   6", "#define JUMP_VALUES   3")),
    by_patch("loss_high: twice what it rose in the past", (D + "loss_high.c", "#define RISES         2.0", "#define RISES         0.0")),
    by_patch("loss_high: the lowest of many losses", (D + "loss_high.c", "#define LOWEST_NOISE  1.5", "#define LOWEST_NOISE  0.0")),
    by_patch("loss_high: a rise that lasts", (D + "loss_high.c", "#define LASTING_LEVEL 0.1", "#define LASTING_LEVEL 1e9")),
    by_patch("loss_high: a tenth of the lowest level", (D + "loss_high.c", "#define LASTING_LEVEL 0.1", "#define LASTING_LEVEL 0.0")),
    by_patch("loss_high: above where it began", (D + "loss_high.c", "#define BEYOND        0.5", "#define BEYOND        1e9")),
    by_patch("descent: seven times the noise", (D + "descent.h", "#define DESCENT_NOISE 7.0", "#define DESCENT_NOISE 3.0")),
    by_patch("plunge: from step 2,000 on", (D + "descent.c", "PLUNGE_FROM  2000.0", "PLUNGE_FROM  400.0")),
    by_patch("plunge: three times its falls in the past", (D + "descent.c", "PLUNGE_FALLS 3.0", "PLUNGE_FALLS 0.0")),
    by_patch("loss_high: what is told is not its own past", (D + "loss_high.c", "if (!high)", "if (true)")),
    by_patch("descent: 1.7 of the lowest", (D + "descent.c", "LOWEST_SHARE 1.7 ", "LOWEST_SHARE 0.0 ")),
    by_patch("past: from 0.4 t", (D + "history.h", "#define PAST_FROM  0.4", "#define PAST_FROM  0.6")),
    by_patch("past: to 0.8 t", (D + "history.h", "#define PAST_TO    0.8", "#define PAST_TO    0.95")),
    # --- rotation_still, nonfinite
    by_setting("nonfinite.grad_norm_samples", "nonfinite.grad_norm_samples=1"),
    by_setting("rotation_still: 1000 steps", "rotation_still.fire_steps=0"),
]
