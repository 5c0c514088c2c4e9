"""What the made-up runs of tests/unit/http/serve_data.c hold, by the same formulas."""
import math
from typing import List

STARTED = 1763912000.0
STEPS = list(range(0, 1200, 10))
EXPLODES_AT = 900
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
LAYERS = [
    f"blocks.{number}.{name}"
    for number in range(2)
    for name in ("attn.q_proj", "attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
]
BLOCKS = ["blocks.0.mlp", "blocks.1.mlp"]
LAYER_METRICS = ["rotation.from_init", "sa.diversity", "spectral.residual", "spectral.sigma1", "spectral.sigma2"]


def loss(step: int) -> float:
    """The loss of both runs before EXPLODES_AT."""
    return 2 + 8 * math.exp(-step / 150)


def sigma1(layer_id: int, step: int) -> float:
    """`spectral.sigma1` of a layer."""
    return 2 + layer_id / 10 + step / 400 + 0.05 * math.sin(step / 30)


def sa_counts(layer_id: int, step: int) -> List[int]:
    """The 64 counts of histogram `sa`."""
    centre, width = 0.5 * math.sin(step / 250 + layer_id), 0.15 + 0.1 * math.cos(step / 400)
    distances = [((b + 0.5) / 32 - 1 - centre) / width for b in range(64)]
    return [int(math.floor(1000 * math.exp(-d * d) + 0.5)) for d in distances]
