"""Healthy trainings: (cause, steps, settings). A run's number is its place: append, only."""
from __future__ import annotations

from typing import Any

Run = tuple[str, int, dict[str, Any]]

SMALL = {"width": 32, "layers": 2, "batch": 8, "context": 32}
SGD = {"optimizer": "sgd", "lr": 0.2, "weight_decay": 1e-4}
CLASSES = {"model": "mlp", "task": "images", "width": 64, "layers": 3, "mlp": "relu", "batch": 32,
           "lr": 1e-3, "weight_decay": 1e-4}

OPTIMIZERS: list[Run] = [
    ("adamw", 4000, {}),
    ("adamw_wide", 3000, {"width": 64, "hidden": 160, "lr": 2e-3}),
    ("adamw_deep", 2500, {"layers": 4}),
    ("adamw_beta2_95", 3000, {"beta2": 0.95}),
    ("adamw_beta2_999", 3000, {"beta2": 0.999, "warmup": 200}),
    ("adam_l2", 3000, {"optimizer": "adam", "weight_decay": 1e-4}),
    ("adam_no_decay", 3000, {"optimizer": "adam", "weight_decay": 0.0}),
    ("sgd_momentum", 4000, {**SGD}),
    ("sgd_plain", 4000, {**SGD, "momentum": 0.0, "lr": 0.5}),
    ("sgd_nesterov", 3000, {**SGD, "optimizer": "nesterov"}),
    ("sgd_no_clip", 3000, {**SGD, "clip": 0.0, "lr": 0.1}),
    ("rmsprop", 3000, {"optimizer": "rmsprop", "momentum": 0.0, "lr": 1e-3, "beta2": 0.99}),
    ("rmsprop_momentum", 3000, {"optimizer": "rmsprop", "lr": 2e-4, "beta2": 0.99}),
    ("adafactor", 2500, {"optimizer": "adafactor", "lr": 3e-3, "beta2": 0.99}),
    ("lion", 3000, {"optimizer": "lion", "lr": 3e-4, "beta2": 0.99, "weight_decay": 0.3}),
    ("muon", 2500, {"optimizer": "muon", "lr": 1e-2, "momentum": 0.95, "weight_decay": 0.05}),
    ("adagrad", 3000, {"optimizer": "adagrad", "lr": 2e-2, "weight_decay": 0.0}),
    ("adamw_no_clip", 3000, {"clip": 0.0}),
    ("adamw_tight_clip", 3000, {"clip": 0.1}),
    ("decay_0", 4000, {"weight_decay": 0.0}),
    ("decay_1", 4000, {"weight_decay": 1.0}),
    ("decay_0.3", 3000, {"weight_decay": 0.3, "lr": 2e-3}),
]

SCHEDULES: list[Run] = [
    ("cosine_to_0", 6000, {"schedule": "cosine", "min_lr": 0.0}),
    ("cosine_to_tenth", 4000, {"schedule": "cosine"}),
    ("linear_to_0", 4000, {"schedule": "linear", "min_lr": 0.0}),
    ("wsd", 5000, {"schedule": "wsd", "min_lr": 0.0}),
    ("restarts", 4000, {"schedule": "restarts", "period": 800, "min_lr": 0.02}),
    ("cyclic", 4000, {"schedule": "cyclic", "period": 600, "min_lr": 0.05}),
    ("steps", 3000, {"schedule": "steps", "period": 1200, "min_lr": 0.01}),
    ("inverse_sqrt", 4000, {"schedule": "inverse_sqrt", "warmup": 400, "lr": 5e-3}),
    ("one_cycle", 3000, {"schedule": "one_cycle", "lr": 6e-3, "min_lr": 0.02}),
    ("long_warmup", 4000, {"warmup": 2000, "lr": 4e-3}),
    ("long_warmup_sgd", 3000, {**SGD, "warmup": 1500}),
    ("no_warmup", 3000, {"warmup": 0, "lr": 1e-3}),
    ("no_warmup_sgd", 3000, {**SGD, "warmup": 0}),
    ("low_rate", 4000, {"lr": 2e-4}),
    ("high_rate", 3000, {"lr": 8e-3, "qk_norm": True}),
    ("long_constant", 12000, {"lr": 1e-3}),
    ("long_cosine", 12000, {"schedule": "cosine", "min_lr": 0.01}),
]

SHAPES: list[Run] = [
    ("post_norm", 3000, {"placement": "post", "lr": 1e-3, "warmup": 300}),
    ("sandwich_norm", 3000, {"placement": "sandwich"}),
    ("layer_norm_gelu", 3000, {"norm": "layer", "mlp": "gelu", "hidden": 128, "bias": True}),
    ("qk_norm", 3000, {"qk_norm": True}),
    ("tied", 3000, {"tied": True, "lr": 2e-3}),
    ("gqa", 3000, {"kv_heads": 2}),
    ("mqa_deep", 2500, {"kv_heads": 1, "layers": 4}),
    ("geglu", 3000, {"mlp": "geglu"}),
    ("relu", 3000, {"mlp": "relu", "hidden": 128}),
    ("relu2", 3000, {"mlp": "relu2", "hidden": 128, "norm": "rms"}),
    ("learned_positions", 3000, {"positions": "learned", "norm": "layer", "mlp": "gelu"}),
    ("small_init", 3000, {"init": 0.3}),
    ("large_init", 3000, {"init": 1.6, "lr": 1e-3}),
    ("one_layer", 4000, {"layers": 1}),
    ("dropout", 3000, {"dropout": 0.1}),
    ("bfloat16_weights", 3000, {"weights": "bfloat16", "lr": 2e-3}),
    ("bfloat16_sgd", 3000, {**SGD, "weights": "bfloat16"}),
    ("bfloat16_cosine", 4000, {"weights": "bfloat16", "schedule": "cosine", "min_lr": 0.0}),
]

DATA: list[Run] = [
    ("python_source", 4000, {"data": "python"}),
    ("python_deep", 2500, {"data": "python", "layers": 4, "schedule": "cosine"}),
    ("markov", 4000, {"data": "markov"}),
    ("markov_sgd", 4000, {**SGD, "data": "markov"}),
    ("modular", 8000, {"task": "modular", "batch": 128, "layers": 1, "weight_decay": 1.0,
                       "lr": 1e-3, "mlp": "relu", "hidden": 128}),
    ("modular_muon", 4000, {"task": "modular", "batch": 128, "layers": 1, "optimizer": "muon",
                            "lr": 5e-3, "momentum": 0.95, "weight_decay": 0.3}),
    ("modular_no_decay", 5000, {"task": "modular", "batch": 128, "layers": 1, "weight_decay": 0.0,
                                "lr": 5e-4}),
    ("copy", 5000, {"task": "copy", "batch": 16, "lr": 2e-3}),
    ("copy_learned", 4000, {"task": "copy", "batch": 16, "positions": "learned", "lr": 1e-3,
                            "schedule": "cosine"}),
    ("repeated_epochs", 5000, {"subset": 6000}),
    ("repeated_epochs_decay", 5000, {"subset": 20000, "weight_decay": 0.5}),
    ("overfit_sgd", 4000, {**SGD, "subset": 6000}),
    ("label_noise", 3000, {"label_noise": 0.2}),
    ("label_noise_classes", 8000, {**CLASSES, "label_noise": 0.4}),
    ("shift_to_markov", 3000, {"events": [{"type": "shift", "at": 1500, "to": "markov"}]}),
    ("shift_python_english", 3500, {"data": "python",
                                    "events": [{"type": "shift", "at": 1800, "to": "english"}]}),
    ("shift_decaying", 3500, {"schedule": "cosine",
                              "events": [{"type": "shift", "at": 1200, "to": "python"}]}),
    ("curriculum", 4000, {"events": [{"type": "shape", "at": 0, "context": 8},
                                     {"type": "shape", "at": 1000, "context": 16},
                                     {"type": "shape", "at": 2200, "context": 32}]}),
    ("one_bad_batch", 3000, {"events": [
        {"type": "bad_data", "at": 900, "len": 1, "kind": "random"},
        {"type": "bad_data", "at": 2100, "len": 1, "kind": "stuck"}]}),
    ("bad_burst", 3000, {"events": [
        {"type": "bad_data", "at": 1200, "len": 4, "kind": "constant"}]}),
    ("bad_bursts_random", 3500, {"events": [
        {"type": "bad_data", "at": 700, "len": 3, "kind": "random"},
        {"type": "bad_data", "at": 1900, "len": 4, "kind": "shuffled"},
        {"type": "bad_data", "at": 2900, "len": 2, "kind": "one_label"}]}),
    ("bad_batch_sgd", 3000, {**SGD, "events": [
        {"type": "bad_data", "at": 1300, "len": 2, "kind": "random"}]}),
]

CHANGES: list[Run] = [
    ("rate_x2", 3000, {"lr": 2e-3, "events": [{"type": "lr", "at": 1200, "mult": 2.0}]}),
    ("rate_x4", 3000, {"lr": 1e-3, "events": [{"type": "lr", "at": 1200, "mult": 4.0}]}),
    ("rate_x3_late", 4500, {"lr": 1e-3, "events": [{"type": "lr", "at": 3200, "mult": 3.0}]}),
    ("rate_x0.1", 3000, {"events": [{"type": "lr", "at": 1500, "mult": 0.1}]}),
    ("rate_up_and_down", 4000, {"lr": 1.5e-3, "events": [
        {"type": "lr", "at": 900, "mult": 2.0}, {"type": "lr", "at": 1900, "mult": 0.25},
        {"type": "lr", "at": 2900, "mult": 3.0}]}),
    ("batch_x4", 2500, {"events": [{"type": "shape", "at": 1000, "batch": 32}]}),
    ("batch_down", 3000, {"batch": 16, "events": [{"type": "shape", "at": 900, "batch": 4}]}),
    ("accumulation", 2000, {"accumulate": 2}),
    ("accumulation_grows", 2200, {"events": [{"type": "shape", "at": 1200, "accumulate": 3}]}),
    ("optimizer_reset", 3000, {"lr": 2e-3, "events": [{"type": "reset", "at": 1500}]}),
    ("optimizer_resets_warm", 4000, {"lr": 1e-3, "beta2": 0.95, "events": [
        {"type": "reset", "at": 1200}, {"type": "reset", "at": 2600}]}),
    ("resumed", 3000, {"pretrain": 700, "step0": 20000}),
    ("resumed_fresh_state", 3000, {"pretrain": 700, "step0": 20000, "keep_state": False,
                                   "lr": 2e-3}),
    ("resumed_decaying", 4000, {"pretrain": 500, "step0": 150000, "schedule": "cosine"}),
    ("resumed_sgd", 3000, {**SGD, "pretrain": 600, "step0": 7300}),
    ("skipped_steps", 3000, {"events": [{"type": "skipped", "at": 150, "period": 400}]}),
    ("skipped_steps_sgd", 3000, {**SGD, "events": [{"type": "skipped", "at": 90, "period": 250}]}),
    ("freeze_thaw", 3500, {"events": [{"type": "freeze", "at": 800, "len": 1200, "only": ["0."]}]}),
    ("last_layer_only", 3000, {"pretrain": 800, "train_only": ["1.", "head"], "lr": 1e-3}),
    ("mlp_only", 3000, {"pretrain": 600, "train_only": ["in", "out", "gate"], "step0": 600}),
    ("lora", 3500, {"lora": 4, "lr": 2e-3}),
    ("lora_rank_8", 2500, {"lora": 8, "lr": 5e-3, "width": 64, "hidden": 128}),
    ("heavy_tails_clipped", 3000, {"events": [
        {"type": "heavy_tails", "at": 0, "share": 0.01, "mult": 30.0}]}),
    ("gradient_noise", 3000, {"events": [{"type": "gradient_noise", "at": 500, "std": 0.5}]}),
    ("fair_rounding", 3000, {"events": [
        {"type": "weight_rounding", "at": 600, "bits": 8, "mode": "near"}]}),
    ("fair_gradients", 3000, {"events": [
        {"type": "gradient_rounding", "at": 400, "bits": 3, "mode": "near"}]}),
    ("decay_change", 3500, {"events": [
        {"type": "constants", "at": 1500, "set": {"weight_decay": 0.5}}]}),
    ("beta_change", 3500, {"events": [
        {"type": "constants", "at": 1200, "set": {"beta2": 0.999}}]}),
    ("stale_by_1", 3000, {"lr": 1e-3, "events": [{"type": "stale", "at": 300, "delay": 1}]}),
    ("dropout_on", 3000, {"events": [{"type": "dropout", "at": 1200, "p": 0.15}]}),
]

OTHERS: list[Run] = [
    ("encoder", 3000, {"task": "masked", "batch": 8, "mlp": "gelu", "norm": "layer"}),
    ("encoder_post_norm", 3000, {"task": "masked", "placement": "post", "mlp": "gelu",
                                 "norm": "layer", "lr": 1e-3, "warmup": 300}),
    ("vit", 4000, {"task": "images", "batch": 16, "mlp": "gelu", "norm": "layer", "lr": 1e-3,
                   "positions": "learned"}),
    ("vit_sgd", 3000, {"task": "images", "batch": 16, "mlp": "gelu", "optimizer": "sgd", "lr": 0.1,
                       "weight_decay": 1e-4, "schedule": "cosine"}),
    ("classifier", 10000, CLASSES),
    ("classifier_sgd", 10000, {**CLASSES, "optimizer": "sgd", "lr": 0.05, "schedule": "steps",
                               "period": 4000, "min_lr": 0.01}),
    ("classifier_gelu", 8000, {**CLASSES, "mlp": "gelu", "schedule": "cosine", "min_lr": 0.0}),
    ("residual_mlp", 8000, {**CLASSES, "model": "residual_mlp", "layers": 4}),
    ("mixer", 4000, {"model": "mixer", "task": "images", "mlp": "gelu", "batch": 16, "lr": 1e-3,
                     "norm": "layer"}),
    ("autoencoder", 10000, {"model": "autoencoder", "task": "reconstruction", "width": 64,
                            "mlp": "gelu", "batch": 32, "lr": 1e-3, "weight_decay": 0.0}),
    ("autoencoder_sgd", 8000, {"model": "autoencoder", "task": "reconstruction", "width": 64,
                               "mlp": "tanh", "batch": 32, "optimizer": "nesterov", "lr": 0.05,
                               "weight_decay": 0.0}),
    ("lstm", 3000, {"model": "lstm", "batch": 8, "lr": 3e-3, "weight_decay": 0.0}),
    ("lstm_sgd", 3000, {"model": "lstm", "batch": 8, "optimizer": "sgd", "lr": 1.0,
                        "weight_decay": 0.0}),
    ("gru", 3000, {"model": "gru", "batch": 8, "lr": 3e-3, "schedule": "cosine"}),
    ("gru_two_layers", 2500, {"model": "gru", "batch": 8, "lr": 2e-3, "layers": 2,
                              "data": "markov"}),
    ("regression", 12000, {"model": "mlp", "task": "regression", "width": 64, "layers": 2,
                           "mlp": "tanh", "batch": 64, "lr": 1e-3, "weight_decay": 0.0,
                           "schedule": "cosine", "min_lr": 0.0}),
    ("regression_long", 15000, {"model": "mlp", "task": "regression", "width": 32, "layers": 3,
                                "mlp": "gelu", "batch": 64, "lr": 1e-3, "weight_decay": 0.0}),
    ("regression_noise", 8000, {"model": "mlp", "task": "regression", "width": 64, "layers": 2,
                                "mlp": "relu", "batch": 32, "optimizer": "sgd", "lr": 0.02,
                                "label_noise": 0.3, "weight_decay": 1e-4}),
    ("values", 10000, {"model": "mlp", "task": "values", "width": 64, "layers": 2, "mlp": "relu",
                       "batch": 32, "lr": 5e-4, "weight_decay": 0.0}),
    ("values_rmsprop", 8000, {"model": "mlp", "task": "values", "width": 64, "layers": 2,
                              "mlp": "relu", "batch": 32, "lr": 3e-4, "optimizer": "rmsprop",
                              "momentum": 0.0, "beta2": 0.95, "weight_decay": 0.0}),
    ("adversaries", 8000, {"model": "adversaries", "task": "adversarial", "width": 48, "layers": 2,
                           "mlp": "relu", "batch": 64, "lr": 2e-4, "beta1": 0.5, "beta2": 0.9,
                           "weight_decay": 0.0}),
    ("adversaries_rmsprop", 6000, {"model": "adversaries", "task": "adversarial", "width": 32,
                                   "layers": 2, "mlp": "gelu", "batch": 64, "lr": 1e-4,
                                   "optimizer": "rmsprop", "momentum": 0.0, "beta2": 0.99,
                                   "weight_decay": 0.0}),
]

VECTORS = {"model": "mlp", "width": 64, "layers": 2, "mlp": "gelu", "batch": 32, "lr": 1e-3,
           "weight_decay": 1e-4}
TOKENS = {"layers": 1, "batch": 16, "lr": 2e-3}  # of rules: sequences.py
MATRICES = ["q", "k", "v", "o", "gate", "in", "out"]

MORE_OPTIMIZERS: list[Run] = [
    ("nadam", 3000, {"optimizer": "nadam", "lr": 2e-3}),
    ("radam_no_warmup", 3000, {"optimizer": "radam", "warmup": 0, "beta2": 0.999}),
    ("amsgrad", 3000, {"optimizer": "amsgrad", "beta2": 0.99, "lr": 4e-3}),
    ("adamax", 3000, {"optimizer": "adamax", "lr": 4e-3, "beta2": 0.999}),
    ("adabelief", 3000, {"optimizer": "adabelief", "lr": 1e-3, "beta2": 0.99}),
    ("ademamix", 3000, {"optimizer": "ademamix", "lr": 1e-3, "beta2": 0.999,
                        "schedule": "cosine"}),
    ("plain_adam", 3000, {"optimizer": "plain_adam", "lr": 2e-3, "beta2": 0.99, "warmup": 200}),
    ("sophia", 3000, {"optimizer": "sophia", "lr": 1e-3, "beta1": 0.95, "beta2": 0.99,
                      "weight_decay": 0.1}),
    ("lamb", 3000, {"optimizer": "lamb", "lr": 5e-3, "beta2": 0.99, "weight_decay": 0.01}),
    ("lars", 4000, {**CLASSES, "optimizer": "lars", "lr": 3e-3, "schedule": "polynomial",
                    "min_lr": 0.0}),
    ("signum", 3000, {"optimizer": "signum", "lr": 3e-4, "momentum": 0.95, "weight_decay": 0.2}),
    ("adadelta", 3000, {"optimizer": "adadelta", "lr": 1.0, "beta2": 0.95, "weight_decay": 0.0}),
    ("schedule_free", 3000, {"optimizer": "schedule_free", "lr": 4e-3}),
    ("sgd_momentum_0.99", 4000, {**SGD, "momentum": 0.99, "lr": 0.02, "warmup": 300}),
    ("sgd_decoupled_decay", 3000, {**SGD, "optimizer": "sgdw", "weight_decay": 5e-3}),
    ("large_epsilon", 3000, {"eps": 1e-3, "lr": 5e-3}),
    ("no_momentum_adam", 3000, {"beta1": 0.0, "lr": 1e-3}),
    ("lookahead", 3000, {"lookahead": 6, "lr": 4e-3}),
    ("lookahead_sgd", 4000, {**CLASSES, "optimizer": "sgd", "lr": 0.05, "lookahead": 10}),
    ("sam", 3000, {**CLASSES, "sam": 0.05}),
    ("sam_regression", 4000, {**VECTORS, "task": "regression", "optimizer": "sgd", "lr": 0.05,
                              "sam": 0.02}),
    ("rates_by_layer", 3000, {"events": [
        {"type": "layer_lr", "at": 0, "only": ["0."], "mult": 0.4},
        {"type": "layer_lr", "at": 0, "only": ["embed"], "mult": 2.0},
        {"type": "layer_lr", "at": 0, "only": ["head"], "mult": 0.3}]}),
]

MORE_SCHEDULES: list[Run] = [
    ("polynomial", 3000, {"schedule": "polynomial", "min_lr": 0.0, "lr": 5e-3}),
    ("exponential", 3000, {"schedule": "exponential", "period": 600, "min_lr": 0.01, "lr": 4e-3}),
    ("staircase", 3200, {"schedule": "staircase", "period": 400, "warmup": 0, "lr": 5e-3}),
    ("inverse_time", 3000, {"schedule": "inverse_time", "period": 800, "lr": 5e-3}),
    ("sawtooth_sgd", 3000, {**SGD, "schedule": "sawtooth", "period": 500, "min_lr": 0.1}),
    ("root_cooldown", 3000, {"schedule": "root_cooldown", "min_lr": 0.0}),
    ("plateau", 5000, {**CLASSES, "lr": 3e-3, "label_noise": 0.2, "events": [
        {"type": "plateau", "at": 0, "patience": 250, "mult": 0.5}]}),
    ("batch_ramp", 2500, {"layers": 1, "batch": 4, "events": [
        {"type": "shape", "at": 500 * i, "batch": 4 + 4 * i} for i in range(1, 5)]}),
]

MORE_BEGINNINGS: list[Run] = [
    ("orthogonal", 3000, {"scheme": "orthogonal"}),
    ("fan_out", 3000, {"scheme": "fan_out", "mlp": "relu", "hidden": 128}),
    ("zero_out", 3000, {"scheme": "zero_out", "layers": 3, "lr": 2e-3}),
    ("zero_head_scaled_rates", 3000, {
        "scheme": "zero_head", "width": 64, "hidden": 128, "layers": 1,
        "events": [{"type": "layer_lr", "at": 0, "mult": 0.5, "only": [f"0.{x}" for x in MATRICES]}],
    }),
    ("sparse_beginning", 3500, {**VECTORS, "task": "several", "scheme": "sparse"}),
    ("rnn", 3000, {"model": "rnn", "layers": 1, "lr": 1e-3, "weight_decay": 0.0}),
    ("tiny_long_warmup", 4000, {"init": 0.05, "embedding_std": 0.02, "warmup": 1200, "lr": 4e-3}),
    ("deep_identity", 4000, {**CLASSES, "layers": 6, "scheme": "identity", "mlp": "tanh"}),
]

MORE_TASKS: list[Run] = [
    ("brackets", 3000, {**TOKENS, "task": "brackets"}),
    ("sorting", 4000, {**TOKENS, "task": "sorting", "mlp": "gelu"}),
    ("reversal", 4000, {**TOKENS, "task": "reversal", "positions": "learned", "lr": 3e-3}),
    ("running_sum", 3500, {**TOKENS, "task": "running_sum", "schedule": "cosine"}),
    ("addition", 4000, {**TOKENS, "task": "addition", "batch": 32, "positions": "learned"}),
    ("recall", 4000, {"task": "recall", "batch": 16, "lr": 2e-3}),
    ("counting", 3500, {**TOKENS, "task": "counting", "norm": "layer", "mlp": "relu"}),
    ("prefix_lm", 3000, {"prefix": 16}),
    ("reading_in_order", 3000, {"order": "reading", "lr": 1e-3}),
    ("periodic_order", 4000, {"order": "periodic", "layers": 1, "lr": 1e-3}),
    ("imbalanced", 4000, {**CLASSES, "imbalance": 0.45}),
    ("drifting_mixture", 4000, {"layers": 1, "events": [
        {"type": "mixture", "at": 800, "len": 2200, "other": "python"}]}),
    ("curriculum_downwards", 3500, {"layers": 1, "batch": 16, "events": [
        {"type": "shape", "at": 1200, "context": 16},
        {"type": "shape", "at": 2400, "context": 8}]}),
    ("parity", 5000, {**VECTORS, "task": "parity", "layers": 1, "mlp": "relu", "width": 128}),
    ("contrastive", 4000, {**VECTORS, "task": "contrastive"}),
    ("denoising", 5000, {**VECTORS, "task": "denoising", "mlp": "silu", "batch": 64}),
    ("ranking", 4000, {**VECTORS, "task": "ranking", "mlp": "relu"}),
    ("likelihood", 4000, {**VECTORS, "task": "likelihood", "mlp": "silu"}),
    ("quantiles", 4000, {**VECTORS, "task": "quantiles", "optimizer": "nadam"}),
    ("distillation", 5000, {**VECTORS, "task": "distillation", "mlp": "leaky"}),
    ("several_goals", 4000, {**VECTORS, "task": "several", "optimizer": "nesterov", "lr": 0.03}),
    ("margins", 4000, {**VECTORS, "task": "margins", "mlp": "selu", "optimizer": "amsgrad"}),
    ("waves", 3500, {"task": "waves", "layers": 1, "mlp": "gelu", "lr": 1e-3}),
    ("sine_network", 4000, {**VECTORS, "task": "regression", "mlp": "sine", "init": 1.5}),
]

MORE_SHAPES: list[Run] = [
    ("parallel_blocks", 3000, {"placement": "parallel"}),
    ("attention_only", 3500, {"parts": "attention"}),
    ("mlp_only_tokens", 3500, {"parts": "mlp", "hidden": 128}),
    ("alibi", 3000, {"positions": "alibi"}),
    ("retention", 3000, {"attention": "retention", "lr": 2e-3}),
    ("experts_4", 3000, {"experts": 4, "layers": 1, "hidden": 64, "lr": 2e-3}),
    ("experts_2_relu", 3000, {"experts": 2, "layers": 1, "mlp": "relu", "data": "markov"}),
    ("shared_layers", 3000, {"shared": True, "layers": 3, "lr": 2e-3}),
    ("rezero", 3000, {"placement": "rezero", "layers": 2, "lr": 2e-3}),
    ("bilinear", 3000, {"mlp": "bilinear", "layers": 1}),
    ("reglu_wide_shallow", 2500, {"mlp": "reglu", "layers": 1, "hidden": 384, "lr": 2e-3}),
    ("narrow_hidden", 3500, {"mlp": "gelu", "hidden": 12}),
    ("one_head", 3500, {"heads": 1, "layers": 1}),
    ("highway", 4000, {**CLASSES, "model": "highway", "layers": 6, "mlp": "tanh"}),
    ("dense_connections", 4000, {**CLASSES, "model": "dense", "width": 32, "layers": 5}),
    ("equilibrium", 4000, {**CLASSES, "model": "equilibrium", "layers": 8}),
    ("resmlp_deep", 3000, {"model": "resmlp", "task": "images", "layers": 6, "mlp": "gelu",
                           "batch": 16, "lr": 1e-3}),
    ("minimal_recurrence", 2500, {"model": "minimal", "layers": 1}),
    ("rnn_brackets", 3500, {"model": "rnn", "task": "brackets", "layers": 2, "lr": 1e-3,
                           "weight_decay": 0.0}),
    ("batch_norm", 4000, {**CLASSES, "model": "residual_mlp", "norm": "batch", "layers": 4,
                          "optimizer": "sgd", "lr": 0.1}),
    ("very_wide", 2500, {**CLASSES, "width": 384, "layers": 1, "lr": 5e-4}),
]

MORE_REGULARIZATION: list[Run] = [
    ("stochastic_depth", 3000, {"stochastic_depth": 0.15}),
    ("label_smoothing", 3000, {"label_smoothing": 0.1}),
    ("label_smoothing_classes", 4000, {**CLASSES, "label_smoothing": 0.2, "optimizer": "sgd",
                                       "lr": 0.05}),
    ("z_loss", 3000, {"z_loss": 1e-3, "lr": 4e-3}),
    ("rows_projected", 3000, {"weight_decay": 0.0, "events": [
        {"type": "projection", "at": 0, "only": [f".{x}." for x in MATRICES]}]}),
    ("tied_encoder", 3000, {"task": "masked", "tied": True, "mlp": "gelu", "lr": 2e-3}),
]

MORE_CHANGES: list[Run] = [
    ("evaluations", 3000, {"events": [
        {"type": "evaluation", "at": 200, "period": 200, "count": 10}]}),
    ("rate_halved_thrice", 3500, {"lr": 5e-3, "events": [
        {"type": "lr", "at": 900 * i, "mult": 0.5} for i in (1, 2, 3)]}),
    ("rate_x2_sgd", 3000, {**SGD, "lr": 0.1, "events": [{"type": "lr", "at": 1400, "mult": 2.0}]}),
    ("skipped_in_a_row", 3000, {"layers": 1, "events": [
        {"type": "skipped", "at": at, "len": 4, "period": 1} for at in (40, 700, 1900)]}),
    ("clip_changes", 3000, {**SGD, "events": [
        {"type": "constants", "at": 1000, "set": {"clip": 0.3}, "len": 1000}]}),
    ("beta2_0.95_to_0.99", 3000, {"beta2": 0.95, "events": [
        {"type": "constants", "at": 1300, "set": {"beta2": 0.99}}]}),
    ("beta1_to_0.95", 3000, {"layers": 1, "events": [
        {"type": "constants", "at": 1500, "set": {"beta1": 0.95}}]}),
    ("momentum_to_0.95", 3000, {**SGD, "lr": 0.1, "events": [
        {"type": "constants", "at": 1200, "set": {"momentum": 0.95}}]}),
    ("reshuffled", 3500, {"order": "reading", "layers": 1, "lr": 2e-3, "events": [
        {"type": "order", "at": 1500, "to": "random"}]}),
    ("batch_x2_sgd", 3000, {**SGD, "events": [{"type": "shape", "at": 1300, "batch": 16}]}),
    ("resumed_lost_moments", 3000, {"pretrain": 800, "step0": 41000, "keep_state": False,
                                    "optimizer": "nadam", "lr": 1e-3}),
    ("unfrozen_by_and_by", 3500, {"layers": 3, "lr": 2e-3, "events": [
        {"type": "freeze", "at": 0, "len": 1400, "only": ["0."]},
        {"type": "freeze", "at": 0, "len": 700, "only": ["1."]}]}),
    ("rolled_back", 3000, {"events": [{"type": "rollback", "at": 1300, "back": 400}]}),
    ("averaged_weights", 3500, {"lr": 4e-3, "events": [
        {"type": "averaged", "at": 1200, "len": 600},
        {"type": "averaged", "at": 2400, "len": 600}]}),
]

HEALTHY: list[Run] = (
    (OPTIMIZERS + SCHEDULES + SHAPES + DATA + CHANGES + OTHERS)
    + (MORE_OPTIMIZERS + MORE_SCHEDULES + MORE_BEGINNINGS + MORE_TASKS + MORE_SHAPES)
    + (MORE_REGULARIZATION + MORE_CHANGES)
)
