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

    # model
    model: str = "transformer"  # see models.py
    width: int = 32
    layers: int = 2
    heads: int = 4
    kv_heads: int = 0  # 0: as many as heads
    hidden: int = 96  # of MLPs
    mlp: str = "swiglu"  # swiglu, geglu, gelu, relu, relu2
    norm: str = "rms"  # rms, layer
    placement: str = "pre"  # pre, post, sandwich
    positions: str = "rope"  # rope, learned
    qk_norm: bool = False
    tied: bool = False
    bias: bool = False
    dropout: float = 0.0
    init: float = 1.0  # gain of the initialization
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
