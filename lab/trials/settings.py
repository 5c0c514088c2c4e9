"""What one training is made of: a flat record that goes into the manifest as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Settings:
    """All of one run. Lengths are in optimizer steps unless told otherwise."""

    id: str = "run"
    cause: str = "healthy"
    intent: str = "healthy"  # or "failing": what the run is meant to show
    seed: int = 0
    steps: int = 2000
    every: int = 10  # steps between two samples
    step0: int = 0  # number of the first recorded step
    pretrain: int = 0  # updates before it that are not recorded
    keep_state: bool = True  # the optimizer's, from the pretraining

    # data
    task: str = "text"  # see tasks.py
    data: str = "english"  # for text: english, python, markov
    batch: int = 8
    accumulate: int = 1  # micro-batches an update
    context: int = 32  # tokens
    subset: int = 0  # for text: only the first bytes (0: all)
    label_noise: float = 0.0
    order: str = "random"  # of text: random, reading (on and on), periodic (the same 64 batches)
    prefix: int = 0  # of text: so many first tokens see each other and are not predicted
    imbalance: float = 0.0  # of images: each class is so many times as frequent as the one before
    label_smoothing: float = 0.0
    z_loss: float = 0.0  # weight of the squared log of the sum of exponentiated logits

    # model
    model: str = "transformer"  # see models.py
    width: int = 32
    layers: int = 2
    heads: int = 4
    kv_heads: int = 0  # 0: as many as heads
    hidden: int = 96  # of MLPs
    mlp: str = "swiglu"  # swiglu, geglu, reglu, bilinear, gelu, relu, relu2, tanh, …: layers.py
    norm: str = "rms"  # rms, layer, batch
    placement: str = "pre"  # pre, post, sandwich, parallel (both parts read the same), rezero
    positions: str = "rope"  # rope, learned, alibi
    parts: str = "both"  # of a block: both, attention, mlp
    attention: str = "softmax"  # or retention: products that fade with distance
    experts: int = 0  # instead of one MLP, the best two of so many
    shared: bool = False  # all layers are one
    qk_norm: bool = False
    tied: bool = False
    bias: bool = False
    dropout: float = 0.0
    stochastic_depth: float = 0.0  # share of examples that a part of a block is left out for
    init: float = 1.0  # gain of the initialization
    scheme: str = "normal"  # of the initialization: see initial.py
    embedding_std: float = 0.5
    lora: int = 0  # rank of adapters on q and v; but head and norms, all else is frozen
    train_only: list[str] = field(default_factory=list)  # parameters by part of their name; []: all

    # optimizer
    optimizer: str = "adamw"  # see optimizers.py
    lr: float = 3e-3
    schedule: str = "constant"  # see schedules.py
    warmup: int = 50
    period: int = 500  # of restarts, cyclic, steps
    min_lr: float = 0.1  # where a decay ends, as a fraction of lr
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-8
    momentum: float = 0.9
    clip: float = 1.0  # 0: none
    sam: float = 0.0  # radius of a step uphill before the gradient that is used
    lookahead: int = 0  # each so many updates: back to half the way
    weights: str = "float32"  # or "bfloat16": rounded to nearest after each update

    events: list[dict[str, Any]] = field(default_factory=list)  # see events.py

    @staticmethod
    def of(values: dict[str, Any]) -> Settings:
        known = {f.name for f in fields(Settings)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"{values.get('id', 'run')}: unknown setting {', '.join(unknown)}")
        return Settings(**values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def onset(self) -> int:
        """The step at which the fault begins; 0 for a healthy run, whatever happens in it."""
        if self.intent == "healthy":
            return 0
        faults = [e["at"] for e in self.events if not e.get("background")]
        return self.step0 + min(faults, default=0)
