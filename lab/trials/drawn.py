"""Trainings drawn by lot: what is learnt, by which model, how it begins, optimizer, schedule and what
people do on the way, each drawn by itself. Nobody chose these combinations, so that detectors can be
judged on runs that neither their author nor the lists of healthy.py and failing.py thought of.

A run's draw depends on the lot and its number alone. Sizes of steps are drawn from what its optimizer is usually
given; a combination that turns out not to train is part of the lot."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from .healthy import Run

Values = dict[str, Any]

HEALTHY_RUNS, FAILING_RUNS = 160, 60
LOTS = {  # first seeds of the draws
    "drawn": 20_261,
    "drawn2": 31_847,
    "drawn3": 47_713,
    "drawn4": 58_889,
    "drawn5": 69_203,
    "drawn6": 81_517,
    "drawn7": 93_889,
    "drawn8": 104_729,
    "drawn9": 115_249,
    "drawn10": 127_031,
    "drawn11": 139_333,
    "drawn12": 151_091,
    "drawn13": 163_327,
    "drawn14": 175_141,
    "drawn15": 187_163,
    "drawn16": 199_021,
}


def _log(lot: random.Random, low: float, high: float) -> float:
    """Between both, evenly by its logarithm, two digits."""
    return float(f"{math.exp(lot.uniform(math.log(low), math.log(high))):.1e}")


def _maybe(lot: random.Random, share: float, values: Values) -> Values:
    return values if lot.random() < share else {}


# ---- what is learnt, and by which model ----------------------------------------------------------


def _block(lot: random.Random) -> Values:
    """Of a transformer."""
    mlp = lot.choice(
        ["swiglu", "swiglu", "geglu", "reglu", "bilinear", "gelu", "gelu", "relu", "relu2", "silu"]
    )
    gated = mlp in ("swiglu", "geglu", "reglu", "bilinear")
    width = lot.choice([32, 32, 48, 64])
    return {
        "width": width,
        "layers": lot.choice([1, 2, 2, 3, 4]),
        "heads": lot.choice([2, 4]),
        "hidden": lot.choice([2, 3]) * width if gated else 4 * width,
        "mlp": mlp,
        "norm": lot.choice(["rms", "rms", "layer"]),
        "placement": lot.choice(["pre", "pre", "pre", "pre", "sandwich", "parallel", "post"]),
        **_maybe(lot, 0.25, {"qk_norm": True}),
        **_maybe(lot, 0.2, {"bias": True}),
        **_maybe(lot, 0.15, {"dropout": 0.1}),
        **_maybe(lot, 0.1, {"stochastic_depth": 0.1}),
    }


def _decoder(lot: random.Random) -> Values:
    return {
        "task": "text",
        "data": lot.choice(["english", "english", "python", "markov"]),
        "batch": lot.choice([4, 8, 8, 16]),
        "context": lot.choice([16, 32, 32]),
        **_block(lot),
        "positions": lot.choice(["rope", "rope", "learned", "alibi"]),
        **_maybe(lot, 0.2, {"tied": True}),
        **_maybe(lot, 0.2, {"kv_heads": 1}),
        **_maybe(lot, 0.15, {"subset": lot.choice([5000, 15000])}),
        **_maybe(lot, 0.15, {"order": lot.choice(["reading", "periodic"])}),
        **_maybe(lot, 0.1, {"label_smoothing": 0.1}),
        **_maybe(lot, 0.1, {"z_loss": 1e-3}),
        **_maybe(lot, 0.1, {"embedding_std": lot.choice([0.02, 1.0])}),
    }


def _rules(lot: random.Random) -> Values:
    tasks = ["brackets", "sorting", "reversal", "running_sum", "addition", "recall", "counting"]
    return {
        "task": lot.choice([*tasks, "copy", "modular"]),
        "batch": lot.choice([16, 32]),
        **_block(lot),
        "layers": lot.choice([1, 2]),
        "positions": lot.choice(["rope", "learned"]),
    }


def _encoder(lot: random.Random) -> Values:
    return {"task": "masked", "batch": 8, **_block(lot), "positions": lot.choice(["rope", "learned"])}


def _vision(lot: random.Random) -> Values:
    if lot.random() < 0.4:
        return {"task": "images", "batch": 16, **_block(lot), "positions": "learned"}
    model = lot.choice(["mlp", "residual_mlp", "highway", "dense", "equilibrium", "mixer", "resmlp"])
    return {
        "task": "images",
        "model": model,
        "batch": lot.choice([16, 32, 64]),
        "width": lot.choice([32, 64, 96]),
        "layers": lot.choice([2, 3, 4]),
        "mlp": lot.choice(["relu", "gelu", "tanh", "silu"]),
        "norm": lot.choice(["layer", "batch"] if model == "residual_mlp" else ["layer"]),
        **_maybe(lot, 0.3, {"label_noise": lot.choice([0.1, 0.3])}),
        **_maybe(lot, 0.2, {"label_smoothing": 0.1}),
        **_maybe(lot, 0.2, {"imbalance": 0.5}),
    }


def _vectors(lot: random.Random) -> Values:
    tasks = ["regression", "parity", "contrastive", "denoising", "ranking", "likelihood"]
    return {
        "task": lot.choice([*tasks, "quantiles", "distillation", "several", "margins", "values"]),
        "model": "mlp",
        "batch": lot.choice([32, 64]),
        "width": lot.choice([32, 64, 128]),
        "layers": lot.choice([1, 2, 3]),
        "mlp": lot.choice(["relu", "gelu", "tanh", "silu", "leaky", "selu"]),
    }


def _others(lot: random.Random) -> Values:
    kind = lot.choice(["lstm", "gru", "rnn", "minimal", "autoencoder", "adversaries", "waves"])
    if kind == "waves":
        return {"task": "waves", **_block(lot), "layers": 1}
    if kind == "autoencoder":
        mlp = lot.choice(["gelu", "tanh", "relu"])
        return {"model": kind, "task": "reconstruction", "width": 64, "mlp": mlp, "batch": 32}
    if kind == "adversaries":
        mlp = lot.choice(["relu", "gelu"])
        return {"model": kind, "task": "adversarial", "width": 48, "mlp": mlp, "batch": 64}
    data = lot.choice(["english", "python", "markov"])
    return {"model": kind, "data": data, "batch": 8, "layers": lot.choice([1, 1, 2])}


FAMILIES: list[tuple[int, Callable[[random.Random], Values]]] = [
    (8, _decoder), (3, _rules), (2, _encoder), (4, _vision), (4, _vectors), (3, _others),
]  # fmt: skip


# ---- how it is trained ---------------------------------------------------------------------------

# Name, smallest and largest rate, what else its users set.
OPTIMIZERS: list[tuple[str, float, float, Callable[[random.Random], Values]]] = [
    ("adamw", 5e-4, 5e-3, lambda lot: {"beta2": lot.choice([0.95, 0.98, 0.999])}),
    ("adamw", 5e-4, 5e-3, lambda lot: {"beta2": lot.choice([0.95, 0.98, 0.999])}),
    ("adamw", 3e-4, 3e-3, lambda lot: {"beta1": lot.choice([0.8, 0.95]), "eps": 1e-6}),
    ("adam", 3e-4, 3e-3, lambda lot: {"beta2": 0.999, "weight_decay": lot.choice([0.0, 1e-4])}),
    ("sgd", 0.02, 0.2, lambda lot: {"weight_decay": lot.choice([0.0, 1e-4, 5e-4])}),
    ("nesterov", 0.02, 0.2, lambda lot: {"weight_decay": 1e-4}),
    ("sgdw", 0.02, 0.2, lambda lot: {"weight_decay": 2e-3}),
    ("rmsprop", 3e-4, 1e-3, lambda lot: {"momentum": 0.0, "beta2": 0.99}),
    ("adafactor", 1e-3, 4e-3, lambda lot: {"beta2": 0.99}),
    ("lion", 1e-4, 5e-4, lambda lot: {"beta2": 0.99, "weight_decay": lot.choice([0.1, 0.5])}),
    ("muon", 5e-3, 1.5e-2, lambda lot: {"momentum": 0.95, "weight_decay": lot.choice([0.0, 0.1])}),
    ("adagrad", 5e-3, 2e-2, lambda lot: {"weight_decay": 0.0}),
    ("nadam", 5e-4, 3e-3, lambda lot: {"beta2": 0.99}),
    ("radam", 5e-4, 3e-3, lambda lot: {"beta2": 0.999}),
    ("amsgrad", 1e-3, 4e-3, lambda lot: {"beta2": 0.99}),
    ("adabelief", 3e-4, 1.5e-3, lambda lot: {"beta2": 0.99}),
    ("ademamix", 3e-4, 1.5e-3, lambda lot: {"beta2": 0.999}),
    ("sophia", 3e-4, 1.5e-3, lambda lot: {"beta1": 0.95, "beta2": 0.99, "weight_decay": 0.1}),
    ("lamb", 2e-3, 8e-3, lambda lot: {"beta2": 0.99, "weight_decay": lot.choice([0.0, 0.01])}),
    ("lars", 1e-3, 5e-3, lambda lot: {"weight_decay": lot.choice([0.0, 1e-4])}),
    ("signum", 1e-4, 5e-4, lambda lot: {"momentum": 0.95, "weight_decay": 0.1}),
    ("schedule_free", 1e-3, 5e-3, lambda lot: {}),
]

SCHEDULES = [
    "constant", "constant", "cosine", "cosine", "cosine", "linear", "wsd", "wsd", "inverse_sqrt",
    "one_cycle", "polynomial", "exponential", "steps", "restarts", "cyclic", "root_cooldown",
]  # fmt: skip


def _training(lot: random.Random, steps: int) -> Values:
    name, low, high, more = lot.choice(OPTIMIZERS)
    return {
        "optimizer": name,
        "lr": _log(lot, low, high),
        "weight_decay": lot.choice([0.0, 0.01, 0.1, 0.3]),
        **more(lot),
        "clip": lot.choice([0.0, 1.0, 1.0, 1.0, 0.3]),
        "schedule": lot.choice(SCHEDULES),
        "warmup": lot.choice([20, 50, 100, 300, steps // 5]),
        "period": lot.choice([400, 700, 1100]),
        "min_lr": lot.choice([0.0, 0.03, 0.1]),
        "init": lot.choice([0.5, 0.8, 1.0, 1.0, 1.0, 1.3]),
        "scheme": lot.choice(["normal"] * 5 + ["orthogonal", "uniform", "fan_out", "zero_out"]),
        **_maybe(lot, 0.07, {"lookahead": 5}),
        **_maybe(lot, 0.07, {"weights": "bfloat16"}),
        **_maybe(lot, 0.07, {"accumulate": 2}),
        **_maybe(lot, 0.12, {"pretrain": 500, "step0": 500 * lot.randint(1, 300)}),
    }


# ---- what people do on the way -------------------------------------------------------------------


def _operation(lot: random.Random, at: int, drawn: Values) -> Values:
    half = 0.5 * drawn.get("weight_decay", 0.0) + 0.01
    return lot.choice(
        [
            {"type": "lr", "at": at, "mult": lot.choice([0.2, 0.5, 1.5, 2.0, 3.0])},
            {"type": "shape", "at": at, "batch": lot.choice([4, 16, 32])},
            {"type": "shape", "at": at, "accumulate": 2},
            {"type": "skipped", "at": at, "period": lot.choice([150, 400])},
            {"type": "evaluation", "at": at, "period": 150, "count": 8},
            {"type": "rollback", "at": at, "back": lot.choice([100, 300])},
            {"type": "averaged", "at": at, "len": 400},
            {"type": "reset", "at": at},
            {"type": "bad_data", "at": at, "len": lot.choice([1, 3]), "kind": "random"},
            {"type": "constants", "at": at, "set": {"weight_decay": lot.choice([half, 2 * half])}},
            {"type": "constants", "at": at, "set": {"clip": 0.5}},
            {"type": "gradient_noise", "at": at, "std": 0.3},
            {"type": "freeze", "at": at, "len": 500, "only": ["0."]},
            {"type": "dropout", "at": at, "p": 0.1},
            {"type": "plateau", "at": 0, "patience": 200, "mult": 0.5},
        ]
    )


def _fault(lot: random.Random, at: int) -> Values:
    """Each by a size of its own."""
    kind = lot.choice(
        ["ramp", "ramp", "climb", "restart", "jump", "jump", "decay", "decay", "away", "up", "growth",
         "part_grows", "scale", "beta", "moment", "data", "flip", "stale", "residual", "noise"]
    )  # fmt: skip
    part = lot.choice([["in"], ["out"], ["o", "out"], ["q", "k"], ["v"], ["embed"]])
    faults: dict[str, Values] = {
        "ramp": {"type": "ramp", "rate": 1 + _log(lot, 3e-3, 2e-2)},
        "climb": {"type": "climb", "slope": _log(lot, 8e-3, 5e-2)},
        "restart": {"type": "restart", "peak": _log(lot, 15, 80), "period": lot.choice([300, 600])},
        "jump": {"type": "lr", "mult": _log(lot, 10, 100)},
        "decay": {"type": "constants", "set": {"weight_decay": -_log(lot, 0.5, 5)}},
        "away": {"type": "weight_rounding", "bits": lot.choice([4, 5, 6]), "mode": "away"},
        "up": {"type": "weight_rounding", "bits": lot.choice([4, 5]), "mode": "up"},
        "growth": {"type": "weight_growth", "rate": 1 + _log(lot, 2e-3, 8e-3)},
        "part_grows": {"type": "weight_growth", "only": part, "rate": 1 + _log(lot, 5e-3, 2e-2)},
        "scale": {"type": "gradient_scale", "rate": lot.choice([1.3, 2.0]), "period": 50},
        "beta": {"type": "constants", "set": {"beta1": 0.99, "beta2": 0.9, "momentum": 0.998}},
        "moment": {"type": "state", "which": "v", "mult": 1e-5, "period": 10},
        "data": {"type": "bad_data", "kind": lot.choice(["random", "shuffled", "one_label"])},
        "flip": {"type": "bit_flip", "only": [lot.choice(["in", "out", "o"])], "value": 1e5},
        "stale": {"type": "stale", "delay": lot.choice([8, 20])},
        "residual": {"type": "gain", "what": "residual_gain", "rate": 1 + _log(lot, 4e-3, 2e-2)},
        "noise": {"type": "gradient_noise", "std": _log(lot, 10, 80)},
    }
    return {"at": at, **faults[kind]}


def _drawn(name: str, number: int, steps: int) -> tuple[random.Random, Values]:
    lot = random.Random(LOTS[name] + number)
    weights, families = zip(*FAMILIES)
    family = lot.choices(families, weights)[0]
    return lot, {**family(lot), **_training(lot, steps)}


def _name(values: Values) -> str:
    model = values.get("model", "transformer")
    return f"{values.get('task', 'text')}_{model}_{values['optimizer']}_{values['schedule']}"


def healthy(lot_name: str) -> list[Run]:
    runs = []
    for number in range(1, HEALTHY_RUNS + 1):
        steps = 2500 + 500 * (number % 3)
        lot, values = _drawn(lot_name, number, steps)
        count = lot.choice([0, 0, 1, 1, 2])
        places = sorted(lot.randrange(400, steps - 600, 50) for _ in range(count))
        values["events"] = [_operation(lot, at, values) for at in places]
        runs.append((_name(values), steps, values))
    return runs


def failing(lot_name: str) -> list[Run]:
    """The same with a fault. What decays the rate to nothing would hide most of them."""
    runs = []
    for number in range(1001, 1001 + FAILING_RUNS):
        steps = 2200
        lot, values = _drawn(lot_name, number, steps)
        if values["schedule"] not in ("constant", "wsd", "cosine", "inverse_sqrt"):
            values["schedule"] = "constant"
        values["warmup"] = min(values["warmup"], 100)
        model = values.get("model", "transformer")
        fault = _fault(lot, lot.randrange(300, 900, 20))
        if fault["type"] == "gain" and model != "transformer":
            fault = {"type": "ramp", "at": fault["at"], "rate": fault["rate"]}
        if "only" in fault and model != "transformer":
            fault["only"] = ["0."]
        values["events"] = [fault]
        runs.append((f"{fault['type']}_{_name(values)}", steps, values))
    return runs
