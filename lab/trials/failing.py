"""Trainings with a fault: (cause, steps, settings). A run's number is its place: append, never
insert. Not all faults bring a small model down; what survives is kept as such."""
from __future__ import annotations

from typing import Any

Run = tuple[str, int, dict[str, Any]]

SGD = {"optimizer": "sgd", "lr": 0.2, "weight_decay": 1e-4}
UNCLIPPED = {**SGD, "clip": 0.0, "lr": 0.1}
CLASSES = {"model": "mlp", "task": "images", "width": 64, "layers": 3, "mlp": "relu", "batch": 32,
           "lr": 1e-3, "weight_decay": 1e-4}
DEEP = {"layers": 4}


def _fault(event: str, at: int, **options: Any) -> dict[str, Any]:
    return {"events": [{"type": event, "at": at, **options}]}


RATES: list[Run] = [
    ("ramp_slow", 3000, _fault("ramp", 600, rate=1.002)),
    ("ramp", 2000, _fault("ramp", 500, rate=1.006)),
    ("ramp_fast", 1500, _fault("ramp", 900, rate=1.03)),
    ("ramp_deep", 1800, {**DEEP, **_fault("ramp", 400, rate=1.005)}),
    ("ramp_post_norm", 1800, {"placement": "post", "lr": 1e-3, "warmup": 200,
                              **_fault("ramp", 500, rate=1.006)}),
    ("ramp_qk_norm", 2000, {"qk_norm": True, **_fault("ramp", 500, rate=1.006)}),
    ("ramp_gelu", 2000, {"mlp": "gelu", "norm": "layer", "hidden": 128,
                         **_fault("ramp", 700, rate=1.005)}),
    ("ramp_lion", 2000, {"optimizer": "lion", "lr": 3e-4, "beta2": 0.99, "weight_decay": 0.3,
                         **_fault("ramp", 500, rate=1.006)}),
    ("ramp_muon", 1800, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95,
                         **_fault("ramp", 400, rate=1.008)}),
    ("ramp_rmsprop", 1800, {"optimizer": "rmsprop", "momentum": 0.0, "lr": 1e-3, "beta2": 0.99,
                            **_fault("ramp", 500, rate=1.006)}),
    ("ramp_sgd", 1800, {**SGD, **_fault("ramp", 500, rate=1.006)}),
    ("ramp_adafactor", 1600, {"optimizer": "adafactor", "beta2": 0.99,
                              **_fault("ramp", 400, rate=1.008)}),
    ("ramp_adagrad", 1800, {"optimizer": "adagrad", "lr": 2e-2, "weight_decay": 0.0,
                            **_fault("ramp", 500, rate=1.008)}),
    ("climb", 2500, _fault("climb", 300, slope=0.02)),
    ("climb_slow", 4000, _fault("climb", 200, slope=0.006)),
    ("restart_peak_20", 2500, _fault("restart", 1000, peak=20.0, period=500)),
    ("restart_peak_60", 1800, _fault("restart", 800, peak=60.0, period=400)),
    ("jump_10", 1800, _fault("lr", 800, mult=10.0)),
    ("jump_30", 1500, _fault("lr", 900, mult=30.0)),
    ("jump_100", 1200, _fault("lr", 600, mult=100.0)),
    ("jump_sgd", 1500, {**UNCLIPPED, **_fault("lr", 700, mult=20.0)}),
    ("jump_muon", 1300, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95,
                         **_fault("lr", 600, mult=30.0)}),
    ("layer_rate_out", 1800, _fault("layer_lr", 600, only=["1.out"], mult=100.0)),
    ("layer_rate_q", 1800, _fault("layer_lr", 600, only=["0.q", "0.k"], mult=100.0)),
    ("layer_rate_embedding", 1800, _fault("layer_lr", 500, only=["embed"], mult=100.0)),
    ("layer_rate_head", 1500, _fault("layer_lr", 700, only=["head"], mult=100.0)),
]

OPTIMIZER: list[Run] = [
    ("betas_swapped", 1500, _fault("constants", 600, set={"beta1": 0.98, "beta2": 0.9})),
    ("beta1_high", 1500, _fault("constants", 500, set={"beta1": 0.999})),
    ("beta2_low", 1500, _fault("constants", 500, set={"beta2": 0.3, "beta1": 0.95})),
    ("second_moment_lost", 1600, _fault("state", 600, which="v", mult=1e-4, period=20)),
    ("second_moment_once", 1200, _fault("state", 700, which="v", mult=1e-8)),
    ("momentum_damaged", 1500, _fault("state", 700, which="m", noise=50.0, period=25)),
    ("momentum_0.99", 1800, {**UNCLIPPED, **_fault("constants", 600, set={"momentum": 0.99})}),
    ("momentum_0.999", 1500, {**UNCLIPPED, **_fault("constants", 500, set={"momentum": 0.999})}),
    ("decay_negative", 2500, _fault("constants", 500, set={"weight_decay": -0.5})),
    ("decay_negative_fast", 1500, _fault("constants", 600, set={"weight_decay": -2.0})),
    ("decay_negative_sgd", 2500, {**SGD, **_fault("constants", 600, set={"weight_decay": -0.02})}),
    ("stale_8", 1500, _fault("stale", 500, delay=8)),
    ("stale_30", 1500, {"lr": 5e-3, **_fault("stale", 700, delay=30)}),
    ("stale_sgd", 1500, {**SGD, **_fault("stale", 600, delay=6)}),
    ("clip_lost", 1800, {**SGD, "lr": 0.1, "events": [
        {"type": "heavy_tails", "at": 0, "share": 0.02, "mult": 300.0, "background": True},
        {"type": "constants", "at": 700, "set": {"clip": 0.0}}]}),
]

GRADIENTS: list[Run] = [
    ("sum_for_mean", 1500, {**UNCLIPPED, **_fault("gradient_scale", 700, mult=16.0)}),
    ("loss_scale_grows", 2000, {**UNCLIPPED,
                                **_fault("gradient_scale", 400, rate=2.0, period=100)}),
    ("accumulation_miscounted", 2500, {**UNCLIPPED,
                                       **_fault("gradient_scale", 300, rate=1.1, period=25)}),
    ("loss_scale_grows_adam", 1500, _fault("gradient_scale", 400, rate=2.0, period=100)),
    ("ascent_one_layer", 1800, _fault("gradient_scale", 600, only=["1.out"], mult=-1.0)),
    ("ascent_values", 2000, _fault("gradient_scale", 500, only=["v"], mult=-1.0)),
    ("ascent_all", 1000, _fault("gradient_scale", 500, mult=-1.0)),
    ("ascent_embedding", 1800, {**SGD, **_fault("gradient_scale", 500, only=["embed"], mult=-1.0)}),
    ("gradients_rounded_up", 1800, _fault("gradient_rounding", 500, bits=0, mode="up")),
    ("gradients_rounded_up_sgd", 1800, {**SGD,
                                        **_fault("gradient_rounding", 500, bits=0, mode="up")}),
    ("gradient_noise_high", 1500, {"lr": 6e-3, **_fault("gradient_noise", 500, std=20.0)}),
]

WEIGHTS: list[Run] = [
    ("rounded_away", 1600, _fault("weight_rounding", 500, bits=5, mode="away")),
    ("rounded_away_7", 2500, _fault("weight_rounding", 400, bits=7, mode="away")),
    ("rounded_away_mlp", 1800, _fault("weight_rounding", 600, bits=4, mode="away",
                                      only=["in", "out", "gate"])),
    ("rounded_away_qk", 2000, _fault("weight_rounding", 600, bits=4, mode="away", only=["q", "k"])),
    ("rounded_away_embedding", 2000, _fault("weight_rounding", 500, bits=4, mode="away",
                                            only=["embed"])),
    ("rounded_up", 1800, _fault("weight_rounding", 500, bits=5, mode="up")),
    ("rounded_away_gelu", 1800, {"mlp": "gelu", "norm": "layer", "bias": True,
                                 **_fault("weight_rounding", 500, bits=5, mode="away")}),
    ("rounded_away_sgd", 1800, {**SGD, **_fault("weight_rounding", 500, bits=6, mode="away")}),
    ("embedding_grows", 2500, _fault("weight_growth", 500, only=["embed"], rate=1.01)),
    ("weights_grow", 2500, _fault("weight_growth", 600, rate=1.004)),
    ("out_grows", 2000, _fault("weight_growth", 500, only=["out"], rate=1.01)),
    ("bit_flip_1e4", 1200, _fault("bit_flip", 600, only=["0.in"], value=1e4)),
    ("bit_flip_1e8", 1200, _fault("bit_flip", 700, only=["1.out"], value=1e8)),
    ("bit_flip_300", 1500, _fault("bit_flip", 600, only=["0.v"], value=300.0, period=50)),
    ("bit_flip_head", 1200, _fault("bit_flip", 500, only=["head"], value=1e4)),
    ("nan_weight", 900, _fault("bit_flip", 500, only=["1.k"], value="nan")),
]

FORWARD: list[Run] = [
    ("attention_gain_ramp", 2000, {"lr": 5e-3,
                                   **_fault("gain", 500, what="attention_gain", rate=1.01)}),
    ("attention_gain_16", 1500, {"lr": 6e-3,
                                 **_fault("gain", 500, what="attention_gain", mult=16.0)}),
    ("residual_ramp", 1800, _fault("gain", 500, what="residual_gain", rate=1.01)),
    ("residual_ramp_post_norm", 1800, {"placement": "post", "lr": 1e-3, "warmup": 200, "layers": 3,
                                       **_fault("gain", 500, what="residual_gain", rate=1.01)}),
    ("residual_gain_8", 1500, {**DEEP, **_fault("gain", 600, what="residual_gain", mult=8.0)}),
    ("activations_rounded", 2000, _fault("activation_rounding", 500, bits=0, mode="away",
                                         only=["out", "o"])),
    ("logits_rounded", 2000, {"lr": 6e-3, **_fault("activation_rounding", 500, bits=0, mode="up",
                                                   only=["q", "k"])}),
    ("dropout_0.9", 1200, _fault("dropout", 600, p=0.9)),
    ("post_norm_deep", 1500, {"placement": "post", "layers": 6, "lr": 1e-3, "warmup": 150,
                              **_fault("lr", 300, mult=8.0)}),
]

DATA: list[Run] = [
    ("random_data", 1200, _fault("bad_data", 600, kind="random")),
    ("shuffled_labels", 1500, _fault("bad_data", 700, kind="shuffled")),
    ("stuck_loader", 1500, {**UNCLIPPED, "lr": 0.3,
                            **_fault("bad_data", 600, kind="stuck", len=400)}),
    ("poisoned_now_and_then", 1800, {**UNCLIPPED, "lr": 0.5,
                                     **_fault("bad_data", 500, kind="one_label", period=3)}),
    ("wrong_units", 1500, {**CLASSES, "optimizer": "sgd", "lr": 0.05, "clip": 0.0,
                           **_fault("bad_data", 900, kind="huge")}),
    ("label_noise_0.9", 1500, _fault("shape", 700, label_noise=0.9)),
]

OTHERS: list[Run] = [
    ("classifier_ramp", 3000, {**CLASSES, **_fault("ramp", 800, rate=1.005)}),
    ("classifier_decay", 3000, {**CLASSES, **_fault("constants", 800, set={"weight_decay": -3.0})}),
    ("classifier_sgd_scale", 3000, {**CLASSES, "optimizer": "sgd", "lr": 0.05, "clip": 0.0,
                                    **_fault("gradient_scale", 600, rate=1.3, period=50)}),
    ("residual_mlp_ramp", 3000, {**CLASSES, "model": "residual_mlp", "layers": 4,
                                 **_fault("ramp", 700, rate=1.006)}),
    ("encoder_ramp", 2000, {"task": "masked", "mlp": "gelu", "norm": "layer",
                            **_fault("ramp", 600, rate=1.006)}),
    ("encoder_rounded", 2000, {"task": "masked", "mlp": "gelu", "norm": "layer",
                               **_fault("weight_rounding", 600, bits=5, mode="away")}),
    ("vit_ramp", 2000, {"task": "images", "batch": 16, "mlp": "gelu", "norm": "layer", "lr": 1e-3,
                        **_fault("ramp", 500, rate=1.008)}),
    ("mixer_decay", 2500, {"model": "mixer", "task": "images", "mlp": "gelu", "batch": 16,
                           "lr": 1e-3, **_fault("constants", 600, set={"weight_decay": -4.0})}),
    ("mixer_ramp", 2000, {"model": "mixer", "task": "images", "mlp": "gelu", "batch": 16,
                          "lr": 1e-3, **_fault("ramp", 600, rate=1.008)}),
    ("lstm_ramp", 1800, {"model": "lstm", "weight_decay": 0.0, **_fault("ramp", 500, rate=1.006)}),
    ("lstm_sgd_jump", 1500, {"model": "lstm", "optimizer": "sgd", "lr": 1.0, "weight_decay": 0.0,
                             "clip": 0.0, **_fault("lr", 600, mult=30.0)}),
    ("gru_decay", 2000, {"model": "gru", **_fault("constants", 500, set={"weight_decay": -1.5})}),
    ("gru_flip", 1500, {"model": "gru",
                        **_fault("gradient_scale", 500, only=["weight_hh"], mult=-1.0)}),
    ("autoencoder_ramp", 3000, {"model": "autoencoder", "task": "reconstruction", "width": 64,
                                "mlp": "gelu", "batch": 32, "lr": 1e-3, "weight_decay": 0.0,
                                **_fault("ramp", 800, rate=1.006)}),
    ("regression_sgd_ramp", 3000, {"model": "mlp", "task": "regression", "width": 64, "layers": 2,
                                   "mlp": "relu", "batch": 32, "optimizer": "sgd", "lr": 0.02,
                                   "clip": 0.0, **_fault("ramp", 800, rate=1.004)}),
    ("values_jump", 3000, {"model": "mlp", "task": "values", "width": 64, "layers": 2,
                           "mlp": "relu", "batch": 32, "lr": 5e-4, "clip": 0.0, "weight_decay": 0.0,
                           **_fault("ramp", 1200, rate=1.005)}),
    ("lora_ramp", 2000, {"lora": 4, "lr": 2e-3, **_fault("ramp", 500, rate=1.008)}),
    ("python_ramp", 2000, {"data": "python", "mlp": "geglu", **_fault("ramp", 600, rate=1.005)}),
    ("resumed_ramp", 1800, {"pretrain": 600, "step0": 20000, **_fault("ramp", 300, rate=1.006)}),
    ("resumed_decay", 2200, {"pretrain": 600, "step0": 40000,
                             **_fault("constants", 400, set={"weight_decay": -1.0})}),
    ("copy_ramp", 2500, {"task": "copy", "batch": 16, "lr": 2e-3,
                         **_fault("ramp", 900, rate=1.006)}),
    ("modular_ramp", 2500, {"task": "modular", "batch": 128, "layers": 1, "weight_decay": 0.3,
                            "lr": 1e-3, **_fault("ramp", 800, rate=1.008)}),
    ("bfloat16_ramp", 2000, {"weights": "bfloat16", "lr": 2e-3, **_fault("ramp", 500, rate=1.006)}),
    ("gqa_tied_rounded", 2000, {"kv_heads": 2, "tied": True, "lr": 2e-3,
                                **_fault("weight_rounding", 600, bits=5, mode="away")}),
    ("sandwich_ramp", 2000, {"placement": "sandwich", **_fault("ramp", 500, rate=1.008)}),
    ("relu2_growth", 2000, {"mlp": "relu2", "hidden": 128,
                            **_fault("weight_growth", 500, only=["in"], rate=1.006)}),
]

MORE: list[Run] = [
    ("ramp_markov", 2000, {"data": "markov", **_fault("ramp", 700, rate=1.007)}),
    ("ramp_mqa_deep", 1600, {"data": "python", "kv_heads": 1, "layers": 4,
                             **_fault("ramp", 400, rate=1.008)}),
    ("climb_sgd", 2000, {**SGD, **_fault("climb", 300, slope=0.03)}),
    ("restart_sgd", 1800, {**UNCLIPPED, **_fault("restart", 900, peak=12.0, period=300)}),
    ("jump_5_high_rate", 1500, {"lr": 8e-3, **_fault("lr", 700, mult=5.0)}),
    ("decay_negative_lion", 2000, {"optimizer": "lion", "lr": 3e-4, "beta2": 0.99,
                                   **_fault("constants", 500, set={"weight_decay": -12.0})}),
    ("decay_negative_muon", 1500, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95,
                                   **_fault("constants", 400, set={"weight_decay": -1.0})}),
    ("decay_negative_adafactor", 1600, {"optimizer": "adafactor", "beta2": 0.99,
                                        **_fault("constants", 500, set={"weight_decay": -1.5})}),
    ("decay_negative_l2", 2000, {"optimizer": "adam", **_fault(
        "constants", 600, set={"weight_decay": -0.1})}),
    ("encoder_decay", 2000, {"task": "masked", "placement": "sandwich", **_fault(
        "constants", 500, set={"weight_decay": -1.5})}),
    ("lstm_rounded", 1800, {"model": "lstm", "weight_decay": 0.0, **_fault(
        "weight_rounding", 500, bits=4, mode="away", only=["layers"])}),
    ("gru_growth", 1800, {"model": "gru", **_fault(
        "weight_growth", 600, only=["weight_hh"], rate=1.006)}),
    ("vit_rounded_up", 1800, {"task": "images", "batch": 16, "mlp": "gelu", "norm": "layer",
                              "lr": 1e-3, **_fault("weight_rounding", 500, bits=4, mode="up")}),
    ("layer_rate_in_sgd", 1500, {**UNCLIPPED, **_fault(
        "layer_lr", 600, only=["0.in"], mult=200.0)}),
    ("layer_rate_v", 1800, _fault("layer_lr", 500, only=["0.v", "1.v"], mult=100.0)),
    ("ascent_head", 1200, _fault("gradient_scale", 500, only=["head"], mult=-1.0)),
    ("ascent_out_sgd", 1800, {**UNCLIPPED, "lr": 0.3, **_fault(
        "gradient_scale", 500, only=["out"], mult=-4.0)}),
    ("classifier_momentum", 2500, {**CLASSES, "optimizer": "sgd", "lr": 0.05, "clip": 0.0, **_fault(
        "constants", 900, set={"momentum": 0.998})}),
    ("classifier_labels", 2500, {**CLASSES, **_fault("bad_data", 1000, kind="shuffled")}),
    ("encoder_nan", 1000, {"task": "masked", **_fault(
        "bit_flip", 600, only=["0.out"], value="nan")}),
    ("bit_flip_1e6_embedding", 1500, _fault("bit_flip", 700, only=["embed"], value=1e6)),
    ("autoencoder_decay", 2500, {"model": "autoencoder", "task": "reconstruction", "width": 64,
                                 "mlp": "gelu", "batch": 32, "lr": 1e-3, **_fault(
                                     "constants", 700, set={"weight_decay": -4.0})}),
    ("values_sgd_scale", 2500, {"model": "mlp", "task": "values", "width": 64, "layers": 2,
                                "mlp": "relu", "batch": 32, "optimizer": "sgd", "lr": 5e-3,
                                "clip": 0.0, "weight_decay": 0.0, **_fault(
                                    "gradient_scale", 800, rate=1.2, period=40)}),
    ("adversaries_ramp", 2500, {"model": "adversaries", "task": "adversarial", "width": 48,
                                "layers": 2, "mlp": "relu", "batch": 64, "lr": 2e-4, "beta1": 0.5,
                                "beta2": 0.9, "weight_decay": 0.0,
                                **_fault("ramp", 900, rate=1.006)}),
    ("stale_16_unclipped", 1500, {**UNCLIPPED, "lr": 0.4, **_fault("stale", 600, delay=16)}),
    ("second_moment_lost_fast", 1500, {"lr": 5e-3, **_fault(
        "state", 600, which="v", mult=1e-6, period=3)}),
    ("noise_unclipped", 1500, {**UNCLIPPED, **_fault("gradient_noise", 600, std=60.0)}),
    ("attention_gain_post_norm", 1800, {"placement": "post", "lr": 3e-3, "warmup": 300, **_fault(
        "gain", 500, what="attention_gain", rate=1.02)}),
]

FAILING: list[Run] = RATES + OPTIMIZER + GRADIENTS + WEIGHTS + FORWARD + DATA + OTHERS + MORE
