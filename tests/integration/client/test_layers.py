"""Which layers `watch` finds, and the parts that it gives them."""

import pytest
import torch
from models import GPT2, Llama, Named
from torch import nn

from foreshock.layers import discover


def roles(model, layers=None):
    return {part.name: (part.role, part.block) for part in discover(model, layers)}


def test_llama():
    found = roles(Llama(depth=1))
    assert found == {
        "layers.0.self_attn.q_proj": ("attn.q", None),
        "layers.0.self_attn.k_proj": ("attn.k", None),
        "layers.0.self_attn.v_proj": ("attn.v", None),
        "layers.0.self_attn.o_proj": ("attn.o", None),
        "layers.0.mlp.gate_proj": ("mlp.gate", "layers.0.mlp"),
        "layers.0.mlp.up_proj": ("mlp.in", "layers.0.mlp"),
        "layers.0.mlp.down_proj": ("mlp.out", "layers.0.mlp"),
    }


def test_gpt2_is_transposed_its_qkv_sliced_and_its_tied_head_left_out():
    model = GPT2(d=8, depth=1)
    parts = {part.name: part for part in discover(model)}
    assert {name: (part.role, part.block) for name, part in parts.items()} == {
        "h.0.attn.c_attn.q": ("attn.q", None),
        "h.0.attn.c_attn.k": ("attn.k", None),
        "h.0.attn.c_attn.v": ("attn.v", None),
        "h.0.attn.c_proj": ("attn.o", None),
        "h.0.mlp.c_fc": ("mlp.in", "h.0.mlp"),
        "h.0.mlp.c_proj": ("mlp.out", "h.0.mlp"),
    }
    keys = parts["h.0.attn.c_attn.k"]
    assert keys.transposed and keys.shape == (8, 8) and keys.rows == (8, 16)
    assert torch.equal(keys.weight(), model.h[0].attn.c_attn.weight[:, 8:16])
    assert parts["h.0.mlp.c_fc"].shape == (32, 8)


@pytest.mark.parametrize(
    "names, expected",
    [
        (
            {"gate_up_proj": (4, 20), "down_proj": (10, 4)},
            {"gate_up_proj.gate": "mlp.gate", "gate_up_proj.up": "mlp.in"},
        ),
        (
            {"dense_h_to_4h": (4, 16), "dense_4h_to_h": (16, 4)},
            {"dense_h_to_4h": "mlp.in", "dense_4h_to_h": "mlp.out"},
        ),
        ({"fc1": (4, 16), "fc2": (16, 4)}, {"fc1": "mlp.in", "fc2": "mlp.out"}),
        (
            {"w1": (4, 16), "w2": (16, 4), "w3": (4, 16)},
            {"w1": "mlp.gate", "w3": "mlp.in", "w2": "mlp.out"},
        ),
        (
            {"wi_0": (4, 16), "wi_1": (4, 16), "wo": (16, 4)},
            {"wi_0": "mlp.gate", "wi_1": "mlp.in", "wo": "mlp.out"},
        ),
        ({"wi": (4, 16), "wo": (16, 4)}, {"wi": "mlp.in", "wo": "mlp.out"}),
        ({"fc1": (4, 16), "fc2": (8, 4)}, {"fc1": "linear", "fc2": "linear"}),
        ({"q": (4, 4), "k": (4, 4), "v": (4, 4), "o": (4, 4)}, {"q": "attn.q", "o": "attn.o"}),
        (
            {"query_key_value": (4, 12), "dense": (4, 4)},
            {"query_key_value": "linear", "dense": "attn.o"},
        ),
        (
            {"qkv_proj": (8, 16), "o_proj": (8, 8)},
            {"qkv_proj.q": "attn.q", "qkv_proj.v": "attn.v", "o_proj": "attn.o"},
        ),
    ],
)
def test_names_of_the_families(names, expected):
    model = Named({f"layers.3.part.{name}": shape for name, shape in names.items()})
    found = {part.name: part for part in discover(model)}
    for name, role in expected.items():
        part = found[f"layers.3.part.{name}"]
        assert part.role == role
        assert part.block == ("layers.3.part" if role.startswith("mlp") else None)


def test_grouped_queries_are_cut_by_the_output_projection():
    found = {p.name: p for p in discover(Named({"h.0.qkv_proj": (8, 12), "h.0.o_proj": (8, 8)}))}
    assert [found[f"h.0.qkv_proj.{letter}"].rows for letter in "qkv"] == [(0, 8), (8, 10), (10, 12)]


def test_bert():
    names = {"attention.self.query": (4, 4), "attention.output.dense": (4, 4)}
    names.update({"intermediate.dense": (4, 16), "output.dense": (16, 4)})
    found = roles(Named({f"encoder.layer.0.{name}": shape for name, shape in names.items()}))
    prefix = "encoder.layer.0."
    assert found == {
        prefix + "attention.self.query": ("attn.q", None),
        prefix + "attention.output.dense": ("attn.o", None),
        prefix + "intermediate.dense": ("mlp.in", prefix + "mlp"),
        prefix + "output.dense": ("mlp.out", prefix + "mlp"),
    }


def test_a_plain_sequential_is_an_mlp_only_if_it_widens():
    wide = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 4))
    assert roles(wide) == {"0": ("mlp.in", "mlp"), "2": ("mlp.out", "mlp")}
    narrow = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
    assert roles(narrow) == {"0": ("linear", None), "2": ("linear", None)}


def test_a_users_choice():
    model = Llama(depth=2)
    assert list(roles(model, ["layers.1.mlp.*"])) == [
        f"layers.1.mlp.{n}_proj" for n in ("gate", "up", "down")
    ]
    assert roles(model, {"lm_head": "head", "layers.0.mlp.up_proj": ("mlp.in", "b")}) == {
        "lm_head": ("head", None),
        "layers.0.mlp.up_proj": ("mlp.in", "b"),
    }
    assert list(roles(model, lambda name, module: module.out_features == 11)) == ["lm_head"]


@pytest.mark.parametrize(
    "layers, words",
    [
        (["nope.*"], "nope"),
        ({"nope": "head"}, "nope"),
        ({"lm_head": "chef"}, "chef"),
        ([], "none found"),
    ],
)
def test_mistakes(layers, words):
    with pytest.raises(ValueError, match=words):
        discover(Llama(depth=1), layers)


def test_a_model_without_linear_layers():
    with pytest.raises(ValueError, match="none found in Embedding"):
        discover(nn.Embedding(3, 3))


def test_wrappers_do_not_show_in_names_and_shared_weights_come_once():
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.module = inner

    model = Llama(depth=2)
    model.layers[1].mlp.up_proj.weight = model.layers[0].mlp.up_proj.weight
    assert list(roles(Wrapper(model))) == list(roles(model))
    assert "layers.1.mlp.up_proj" not in roles(model)
