"""Which layers of a PyTorch model are watched, and what part each plays.

By default: the linear layers inside repeated blocks (any, where nothing repeats), without
embeddings and output heads. MLP blocks and attention projections are known by the names that the
common families give them, and only where the shapes agree; everything else is `linear`.
"""

import fnmatch
from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import torch
from torch import nn

from . import wire

Selection = Union[None, Sequence[str], Dict[str, object], Callable[[str, nn.Module], object]]

# Children of one module that make an MLP block: gate, in, out. The first that fits is taken.
MLP_NAMES: Tuple[Tuple[Optional[str], str, str], ...] = (
    ("gate_proj", "up_proj", "down_proj"),  # Llama, Mistral, Qwen, Gemma
    ("w1", "w3", "w2"),  # Llama as published, Mixtral's experts
    ("wi_0", "wi_1", "wo"),  # T5, gated
    ("gate", "up", "down"),
    (None, "c_fc", "c_proj"),  # GPT-2
    (None, "dense_h_to_4h", "dense_4h_to_h"),  # GPT-NeoX, Falcon
    (None, "fc1", "fc2"),  # OPT, Phi
    (None, "fc_in", "fc_out"),  # GPT-J
    (None, "intermediate.dense", "output.dense"),  # BERT
    (None, "up_proj", "down_proj"),
    (None, "wi", "wo"),  # T5
    (None, "linear1", "linear2"),  # torch.nn.TransformerEncoderLayer
    (None, "w1", "w2"),
    (None, "up", "down"),
)
FUSED_GATE_UP, FUSED_OUT = (
    "gate_up_proj",
    "down_proj",
)  # Phi-3: rows of the gate, then rows of the up projection
FUSED_QKV = ("c_attn", "qkv_proj", "qkv", "Wqkv")  # rows of q, then of k, then of v
INTERLEAVED_CLASSES = ("GPTBigCode", "CodeGen")  # the same names, but q, k and v alternate by head
ATTENTION_NAMES = {
    "attn.q": ("q_proj", "query", "q", "q_lin", "wq"),
    "attn.k": ("k_proj", "key", "k", "k_lin", "wk"),
    "attn.v": ("v_proj", "value", "v", "v_lin", "wv"),
}
ATTENTION_OUT = ("o_proj", "out_proj", "o", "out_lin", "wo", "c_proj", "dense", "proj", "Wo")
ATTENTION_IN = FUSED_QKV + ("query_key_value",) + ATTENTION_NAMES["attn.q"]
HEADS = ("lm_head", "head", "embed_out", "output_projection", "classifier", "score")
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


@dataclass(frozen=True)
class Part:
    """One watched layer: the weight of a module, or the slice `rows` [r0, r1) of it (in logical
    order, out first).

    `shape` is [out, in] of the part; `transposed`: the module stores [in, out].
    """

    name: str
    module: nn.Module
    shape: Tuple[int, int]
    dtype: str
    transposed: bool
    role: str = "linear"
    block: Optional[str] = None
    rows: Optional[Tuple[int, int]] = None

    def weight(self) -> torch.Tensor:
        """The part's weight as stored, a view: [out, in], or [in, out] if transposed."""
        stored = self.module.weight.detach()
        if self.rows is None:
            return stored
        first, end = self.rows
        return stored[:, first:end] if self.transposed else stored[first:end]


def discover(model: nn.Module, layers: Selection = None) -> List[Part]:
    """The parts of `model` to watch, in the order of its modules.

    `layers`: None for the default; names or patterns (`fnmatch`); a mapping of names to roles, or
    to (role, block); or a callable of (name, module) that answers False, True, a role or (role,
    block). ValueError when nothing is found, when a name or pattern matches nothing, and for a role
    that does not exist.
    """
    found = _linears(model)
    roles = _Roles(model, found)
    if layers is None:
        parts = [part for name in _default_names(model, found) for part in roles.parts(name)]
    elif callable(layers):
        parts = [
            part
            for name in found
            for part in _chosen(found[name], roles, layers(name, found[name].module))
        ]
    elif isinstance(layers, dict):
        parts = [
            part for name in layers for part in _chosen(_named(found, name), roles, layers[name])
        ]
    else:
        parts = [part for name in _matching(found, layers) for part in roles.parts(name)]
    if not parts:
        raise ValueError(
            f"layers: none found in {type(model).__name__}; expected nn.Linear or Conv1D modules"
        )
    return parts


def clean(name: str) -> str:
    """A module's name without what DDP, FSDP, torch.compile and checkpointing add."""
    steps = [step for step in name.split(".") if step not in WRAPPERS]
    if steps and steps[0] == "module":
        steps = steps[1:]
    return ".".join(steps)


def _linears(model: nn.Module) -> Dict[str, Part]:
    """Every linear layer by its name; a weight that several share, once."""
    found: Dict[str, Part] = {}
    seen = set()
    for raw, module in model.named_modules():
        part = _as_part(clean(raw), module)
        if part is not None and id(module.weight) not in seen:
            seen.add(id(module.weight))
            found[part.name] = part
    return found


def _as_part(name: str, module: nn.Module) -> Optional[Part]:
    transposed = type(module).__name__ == "Conv1D"
    weight = getattr(module, "weight", None)
    if (
        not (transposed or isinstance(module, nn.Linear))
        or not isinstance(weight, torch.Tensor)
        or weight.dim() != 2
    ):
        return None
    dtype = str(weight.dtype).rpartition(".")[2]
    if dtype not in wire.DTYPES or weight.device.type == "meta" or 0 in weight.shape:
        return None
    stored = (int(weight.shape[0]), int(weight.shape[1]))
    return Part(
        name or type(module).__name__,
        module,
        stored[::-1] if transposed else stored,
        dtype,
        transposed,
    )


def _default_names(model: nn.Module, found: Dict[str, Part]) -> List[str]:
    embedded = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    body = [
        name
        for name, part in found.items()
        if name.rpartition(".")[2] not in HEADS and id(part.module.weight) not in embedded
    ]
    repeated = [name for name in body if any(step.isdigit() for step in name.split("."))]
    return repeated or body


def _matching(found: Dict[str, Part], patterns: Iterable[str]) -> List[str]:
    chosen = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        names = fnmatch.filter(found, clean(pattern))
        if not names:
            raise ValueError(
                f"layers: {pattern!r} matches nothing; expected one of {list(found)[:8]} …"
            )
        chosen.update(names)
    return [name for name in found if name in chosen]


def _named(found: Dict[str, Part], name: str) -> Part:
    if clean(name) not in found:
        raise ValueError(
            f"layers: {name!r} is none of {len(found)} linear layers: {list(found)[:8]} …"
        )
    return found[clean(name)]


def _chosen(part: Part, roles: "_Roles", answer: object) -> List[Part]:
    """What a user's mapping says of a layer."""
    if answer is None or answer is False:
        return []
    if answer is True:
        return roles.parts(part.name)
    role, block = answer if isinstance(answer, tuple) else (answer, None)
    if role not in wire.ROLES:
        raise ValueError(
            f"layers: role {role!r} of {part.name!r}; expected one of {', '.join(wire.ROLES)}"
        )
    return [replace(part, role=role, block=block)]


class _Roles:
    """The part that each linear layer of a model plays."""

    def __init__(self, model: nn.Module, found: Dict[str, Part]) -> None:
        self._found = found
        self._split: Dict[str, List[Part]] = {}
        for raw, module in model.named_modules():
            parent = clean(raw)
            if not (self._fused_mlp(parent) or self._mlp(parent)) and isinstance(
                module, nn.Sequential
            ):
                self._sequential(parent, module)
            self._attention(parent, module)

    def parts(self, name: str) -> List[Part]:
        """The layer itself, or the slices that it is made of."""
        return self._split.get(name, [self._found[name]])

    def _child(self, parent: str, child: str) -> Optional[Part]:
        part = self._found.get(_join(parent, child))
        return None if part is None or part.name in self._split else part

    def _mlp(self, parent: str) -> bool:
        for gate_name, in_name, out_name in MLP_NAMES:
            gate = self._child(parent, gate_name) if gate_name else None
            inner, outer = self._child(parent, in_name), self._child(parent, out_name)
            if inner is None or outer is None or (gate_name and gate is None):
                continue
            if inner.shape != outer.shape[::-1] or (gate is not None and gate.shape != inner.shape):
                continue
            block = self._block_name(parent, [part.name for part in (gate, inner, outer) if part])
            for part, role in ((gate, "mlp.gate"), (inner, "mlp.in"), (outer, "mlp.out")):
                if part is not None:
                    self._split[part.name] = [replace(part, role=role, block=block)]
            return True
        return False

    def _fused_mlp(self, parent: str) -> bool:
        both, outer = self._child(parent, FUSED_GATE_UP), self._child(parent, FUSED_OUT)
        if both is None or outer is None or both.shape != (2 * outer.shape[1], outer.shape[0]):
            return False
        block, half = self._block_name(parent, [both.name, outer.name]), outer.shape[1]
        self._split[both.name] = [
            _slice(both, "gate", "mlp.gate", (0, half), block),
            _slice(both, "up", "mlp.in", (half, 2 * half), block),
        ]
        self._split[outer.name] = [replace(outer, role="mlp.out", block=block)]
        return True

    def _sequential(self, parent: str, module: nn.Sequential) -> None:
        """A plain Sequential of two linear layers, the inner one wider: an MLP."""
        parts = [self._child(parent, child) for child, _ in module.named_children()]
        linear = [part for part in parts if part is not None]
        if len(linear) != 2:
            return
        inner, outer = linear
        if inner.shape == outer.shape[::-1] and inner.shape[0] > inner.shape[1]:
            block = parent or "mlp"
            self._split[inner.name] = [replace(inner, role="mlp.in", block=block)]
            self._split[outer.name] = [replace(outer, role="mlp.out", block=block)]

    def _attention(self, parent: str, module: nn.Module) -> None:
        if not any(_join(parent, name) in self._found for name in ATTENTION_IN):
            return self._bert_attention_out(parent)
        for role, names in ATTENTION_NAMES.items():
            self._assign(parent, names, role)
        outer = self._assign(parent, ATTENTION_OUT, "attn.o")
        if not type(module).__name__.startswith(INTERLEAVED_CLASSES):
            for name in FUSED_QKV:
                self._split_qkv(self._child(parent, name), outer)

    def _assign(self, parent: str, names: Sequence[str], role: str) -> Optional[Part]:
        for name in names:
            part = self._child(parent, name)
            if part is not None:
                self._split[part.name] = [replace(part, role=role)]
                return part
        return None

    def _bert_attention_out(self, parent: str) -> None:
        if self._found.get(_join(parent, "self.query")):
            self._assign(parent, ("output.dense",), "attn.o")

    def _split_qkv(self, fused: Optional[Part], outer: Optional[Part]) -> None:
        """q has as many rows as the output projection has columns, k and v share the rest."""
        if fused is None or outer is None:
            return
        queries = outer.shape[1]
        rest = fused.shape[0] - queries
        if rest <= 0 or rest % 2:
            return
        ends = (0, queries, queries + rest // 2, fused.shape[0])
        self._split[fused.name] = [
            _slice(fused, letter, f"attn.{letter}", (ends[i], ends[i + 1]), None)
            for i, letter in enumerate("qkv")
        ]

    def _block_name(self, parent: str, members: List[str]) -> str:
        """The parent's name; with `.mlp` where the parent holds other layers too."""
        inside = [name for name in self._found if not parent or name.startswith(parent + ".")]
        return parent if parent and len(inside) == len(members) else _join(parent, "mlp")


def _slice(part: Part, suffix: str, role: str, rows: Tuple[int, int], block: Optional[str]) -> Part:
    shape = (rows[1] - rows[0], part.shape[1])
    return replace(
        part, name=f"{part.name}.{suffix}", role=role, rows=rows, shape=shape, block=block
    )


def _join(parent: str, child: str) -> str:
    return f"{parent}.{child}" if parent else child
