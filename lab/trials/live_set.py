"""The live trials: short runs of kinds that the recorded sets have too, with seeds of their own.
(cause, intent, steps, settings). Recurrent models are left out: the client knows linear layers."""
from __future__ import annotations

from typing import Any

Run = tuple[str, str, int, dict[str, Any]]

SGD = {"optimizer": "sgd", "lr": 0.2, "weight_decay": 1e-4}
CLASSES = {"model": "mlp", "task": "images", "width": 64, "layers": 3, "mlp": "relu", "batch": 32,
           "lr": 1e-3, "weight_decay": 1e-4}


def _fault(event: str, at: int, **options: Any) -> dict[str, Any]:
    return {"events": [{"type": event, "at": at, **options}]}


LIVE: list[Run] = [
    ("ramp", "failing", 1500, _fault("ramp", 300, rate=1.008)),
    ("decay_negative", "failing", 1200, _fault("constants", 300, set={"weight_decay": -2.0})),
    ("rounded_away", "failing", 1200, {"lr": 4e-3,
                                       **_fault("weight_rounding", 300, bits=5, mode="away")}),
    ("weights_grow", "failing", 1200, _fault("weight_growth", 300, rate=1.006)),
    ("loss_scale_grows", "failing", 1200, {**SGD, "clip": 0.0, "lr": 0.1, **_fault(
        "gradient_scale", 300, rate=1.5, period=40)}),
    ("ramp_lion", "failing", 1300, {"optimizer": "lion", "lr": 3e-4, "beta2": 0.99,
                                    "weight_decay": 0.3, **_fault("ramp", 300, rate=1.008)}),
    ("ramp_muon", "failing", 1000, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95,
                                    **_fault("ramp", 250, rate=1.01)}),
    ("encoder_ramp", "failing", 1300, {"task": "masked", "mlp": "gelu", "norm": "layer",
                                       **_fault("ramp", 350, rate=1.008)}),
    ("classifier_decay", "failing", 1500, {**CLASSES, **_fault(
        "constants", 400, set={"weight_decay": -6.0})}),
    ("jump", "failing", 900, _fault("lr", 400, mult=40.0)),
    ("nan_weight", "failing", 700, _fault("bit_flip", 400, only=["1.k"], value="nan")),
    ("adamw_cosine", "healthy", 1500, {"schedule": "cosine", "min_lr": 0.0}),
    ("sgd_momentum", "healthy", 1200, {**SGD}),
    ("muon", "healthy", 900, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95}),
    ("post_norm_layer_gelu", "healthy", 1000, {"placement": "post", "norm": "layer", "mlp": "gelu",
                                               "hidden": 128, "lr": 1e-3, "warmup": 200}),
    ("shift", "healthy", 1200, {"data": "python",
                                "events": [{"type": "shift", "at": 700, "to": "english"}]}),
    ("bad_burst", "healthy", 1000, {"events": [
        {"type": "bad_data", "at": 600, "len": 3, "kind": "random"}]}),
    ("rate_x3", "healthy", 1200, {"lr": 1e-3, "events": [{"type": "lr", "at": 600, "mult": 3.0}]}),
    ("resumed", "healthy", 800, {"pretrain": 400, "step0": 20000}),
    ("lora", "healthy", 800, {"lora": 4, "lr": 2e-3}),
    ("encoder_gqa", "healthy", 900, {"task": "masked", "kv_heads": 2}),
    ("mixer", "healthy", 1000, {"model": "mixer", "task": "images", "mlp": "gelu", "batch": 16,
                                "lr": 1e-3}),
    ("bfloat16_weights", "healthy", 900, {"weights": "bfloat16", "lr": 2e-3}),
]
