"""Every figure of a real training, through the whole path, against float64 NumPy within the stated accuracy.

Python client, socket, daemon, SQLite and HTTP are the real ones; the snapshots are those of a small decoder that learns.
Run with `-s` to see the largest error of each figure and how residuals and passes are distributed.
"""

import json
from urllib.parse import quote

import numpy as np
import pytest

import foreshock
import reference
import training

pytestmark = pytest.mark.torch


def prepared(dtype):
    """[(step, {layer: (W as sent, W float64)}, {layer: (X as sent, X float64)}, loss)]"""
    def convert(a):
        return reference.bfloat16(a) if dtype == "bfloat16" else (a, a.astype(np.float64))
    return [(step, {n: convert(w) for n, w in weights.items()}, {n: convert(x) for n, x in inputs.items()}, loss)
            for step, weights, inputs, loss in training.recorded()]


def block_of(name):
    return name.rsplit(".", 1)[0] if training.ROLES[name.rsplit(".", 1)[-1]].startswith("mlp.") else None


def send(endpoint, run_id, samples, dtype):
    options = {"dtype": "bfloat16"} if dtype == "bfloat16" else {}
    with foreshock.Run(run_id, endpoint=endpoint, wait=30) as run:
        for name, (sent, _) in samples[0][1].items():
            run.declare(name, shape=sent.shape, role=training.ROLES[name.rsplit(".", 1)[-1]], block=block_of(name))
        for step, weights, inputs, loss in samples:
            for name in weights:
                run.weights(step, name, weights[name][0], **options)
            for name in inputs:
                run.activations(step, name, inputs[name][0], **options)
            run.log(step, loss=loss)
        assert run.flush(timeout=60)
        assert run.dropped.daemon == 0 and run.dropped.client == 0


class Stored:
    """What the API tells of a run: figures by (layer, metric, step), and histograms."""

    def __init__(self, daemon, run):
        self.daemon, self.run = daemon, run
        self.values = {}
        for layer in ["*", ""]:
            answer = daemon.api(f"/api/v1/runs/{run}/series?metric=*&layer={quote(layer)}&points=100000")
            for s in answer["series"]:
                for step, last in zip(s["step"], s["last"]):
                    self.values[s["layer"], s["metric"], step] = last

    def histogram(self, layer, metric, step):
        answer = self.daemon.api(f"/api/v1/runs/{self.run}/histogram?metric={metric}&layer={quote(layer)}"
                                 f"&from={step}&to={step}")
        (one,) = answer["histograms"]
        assert one["step"] == [step]
        return np.array(one["counts"])[:, 0]


class Errors:
    """The largest error of each figure, as a share of what is allowed."""

    def __init__(self):
        self.largest = {}

    def check(self, figure, got, expected, allowed, where):
        error = abs(got - expected)
        seen = self.largest.get(figure, (0.0, 0.0))
        share = error / allowed if allowed > 0 else (0.0 if error == 0 else np.inf)
        self.largest[figure] = (max(seen[0], share), max(seen[1], error))
        assert share <= 1, f"{figure} of {where}: {got!r}, expected {expected!r} within {allowed:.3g}"

    def show(self, title):
        print(f"\n{title}: largest error of each figure, and as a share of what is allowed")
        for figure, (share, error) in sorted(self.largest.items()):
            print(f"  {figure:<40} {error:10.3g} {share:8.3f}")


def check_bins(errors, figure, got, values, slack, where):
    """Values within `slack` of an edge may lie on either side of it."""
    edges = np.linspace(-1, 1, 65)[1:-1]
    counted = np.cumsum(reference.histogram(values))[:-1]
    near = (np.abs(values[:, None] - edges) <= slack).sum(axis=0)
    assert got.sum() == len(values), where
    worst = int(np.argmax(np.abs(np.cumsum(got)[:-1] - counted) - near))
    errors.check(figure, np.cumsum(got)[:-1][worst], counted[worst], near[worst] + 0.5, where)


def check_spectrum(errors, stored, layer, step, W):
    get = lambda metric: stored.values[layer, metric, step]
    expected, v1 = reference.spectrum(W)
    s1, s2 = expected["spectral.sigma1"], expected["spectral.sigma2"]
    r1, r2 = get("spectral.residual"), get("spectral.residual2")
    where = (layer, step)
    errors.check("spectral.sigma1", get("spectral.sigma1") / s1, 1, r1**2 + 1e-6, where)
    errors.check("spectral.sigma2", get("spectral.sigma2") / s2, 1, r2 + 1e-6, where)
    errors.check("spectral.gap", get("spectral.gap"), 1 - s2 / s1, r1**2 + r2 + 3e-6, where)
    errors.check("spectral.stable_rank", get("spectral.stable_rank") / expected["spectral.stable_rank"], 1,
                 2.1 * (r1**2 + 1e-6) + 1e-6, where)
    return v1, 1e-5 + r1 / (1 - (s2 / s1) ** 2)


def check_alignment(errors, stored, layer, step, X, v1, slack):
    get = lambda metric: stored.values[layer, metric, step]
    where = (layer, step)
    # The sign of v1 is the daemon's choice: the one that its mean agrees with.
    expected, s = min((reference.alignment(X, v) for v in (v1, -v1)), key=lambda e: abs(e[0]["sa.mean"] - get("sa.mean")))
    unsure = (np.abs(s) < slack).sum()
    n = expected["sa.tokens"]
    errors.check("sa.positive", get("sa.positive") * n, expected["sa.positive"] * n, unsure + 1e-6, where)
    errors.check("sa.diversity", get("sa.diversity") * n, expected["sa.diversity"] * n, 2 * unsure + 1e-6, where)
    for figure in ("sa.mean", "sa.std", "sa.p05", "sa.p25", "sa.p50", "sa.p75", "sa.p95", "sa.input_mean_cos"):
        errors.check(figure, get(figure), expected[figure], slack, where)
    errors.check("sa.input_mean", get("sa.input_mean"), expected["sa.input_mean"], 1e-6, where)
    for figure in ("sa.tokens", "sa.skipped", "activation.nonfinite"):
        errors.check(figure, get(figure), expected[figure], 0, where)
    for figure in ("activation.rms", "activation.max_abs"):
        errors.check(figure, get(figure) / expected[figure], 1, 1e-6, where)
    errors.check("sa.weights_step", get("sa.weights_step"), step, 0, where)
    check_bins(errors, "histogram sa", stored.histogram(layer, "sa", step), s, slack, where)


def check_rotation(errors, stored, layer, step, W, W0, previous, narrow):
    get = lambda metric: stored.values[layer, metric, step]
    expected = reference.rotation(W, W0, previous, narrow)
    for figure, value in expected.items():
        relative = 1e-6 if figure in ("weights.norm", "weights.drift") else 0.01
        errors.check(figure, get(figure), value, relative * value + 1e-12, (layer, step))
    errors.check("weights.nonfinite", get("weights.nonfinite"), 0, 0, (layer, step))
    if not narrow:
        assert (layer, "rotation.noise", step) not in stored.values


def check_neurons(errors, stored, block, step, W_in, W_out, W_gate):
    get = lambda metric: stored.values[block, metric, step]
    expected, named = reference.neurons(W_in, W_out, W_gate)
    where = (block, step)
    edge = sum((np.abs(np.abs(c) - 0.5) < 1e-5).sum() for c in named.values()) + (named["gate_in"] < 1e-5).sum()
    for figure, value in expected.items():
        if figure.startswith("gate.count.") or figure == "gate.undefined":
            errors.check(figure, get(figure), value, edge, where)
        elif figure == "gate.beyond_chance":
            errors.check(figure, get(figure), value, 1e-5 + (2 if edge else 0) / len(named["in_out"]), where)
        else:
            errors.check(figure, get(figure), value, 1e-5, where)
    for name, values in named.items():
        check_bins(errors, f"histogram gate.{name}", stored.histogram(block, f"gate.{name}", step), values, 1e-6, where)


def show_tracker(stored, title):
    residuals = np.array([v for (_, metric, _), v in stored.values.items() if metric == "spectral.residual"])
    passes = np.array([v for (_, metric, _), v in stored.values.items() if metric == "spectral.passes"])
    met = (residuals <= 1e-3).mean()
    print(f"{title}: {len(residuals)} samples, residual <= 1e-3 in {100 * met:.1f} %; residual "
          + ", ".join(f"p{q} {np.percentile(residuals, q):.2g}" for q in (50, 90, 99, 100)) + "; passes "
          + ", ".join(f"{int(p)}: {int((passes == p).sum())}" for p in np.unique(passes)))
    assert met >= 0.95


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_figure_of_a_real_training(daemon, dtype):
    d = daemon()
    samples = prepared(dtype)
    send(d.endpoint, dtype, samples, dtype)
    stored, errors = Stored(d, dtype), Errors()
    first, previous, previous_v1 = samples[0][1], {}, {}
    for step, weights, inputs, loss in samples:
        for layer, (_, W) in weights.items():
            v1, slack = check_spectrum(errors, stored, layer, step, W)
            check_alignment(errors, stored, layer, step, inputs[layer][1], v1, slack)
            check_rotation(errors, stored, layer, step, W, first[layer][1], previous.get(layer), dtype == "bfloat16")
            if layer in previous:
                turn, before = stored.values[layer, "spectral.turn", step], previous_v1[layer]
                errors.check("spectral.turn (as an angle)", np.sqrt(2 * turn), np.sqrt(2 * (1 - abs(v1 @ before[0]))),
                             slack + before[1], (layer, step))
            else:
                assert stored.values[layer, "spectral.break", step] == 1
            previous[layer], previous_v1[layer] = W, (v1, slack)
        for block in {block_of(layer) for layer in weights} - {None}:
            check_neurons(errors, stored, block, step, *(weights[f"{block}.{p}"][1] for p in ("up_proj", "down_proj", "gate_proj")))
        errors.check("loss", stored.values["", "loss", step], loss, 0, step)
    errors.show(dtype)
    show_tracker(stored, dtype)


def test_an_ungated_block_and_transposed_weights(daemon):
    d = daemon()
    random = np.random.default_rng(1)
    W_in, W_out = random.standard_normal((200, 48)), random.standard_normal((48, 200))
    W_out[:, :40] += 0.3 * W_in[:40].T  # some neurons that strengthen
    W_in[77] = 0
    with foreshock.Run("gpt", endpoint=d.endpoint, wait=30) as run:
        run.declare("h.0.c_fc", shape=(200, 48), role="mlp.in", block="h.0.mlp", transposed=True)
        run.declare("h.0.c_proj", shape=(48, 200), role="mlp.out", block="h.0.mlp", transposed=True)
        run.weights(0, "h.0.c_fc", np.ascontiguousarray(W_in.T))
        run.weights(0, "h.0.c_proj", np.ascontiguousarray(W_out.T))
        assert run.flush(timeout=30)
    stored, errors = Stored(d, "gpt"), Errors()
    for layer, W in (("h.0.c_fc", W_in), ("h.0.c_proj", W_out)):
        check_spectrum(errors, stored, layer, 0, W)
    expected, _ = reference.neurons(W_in, W_out)
    for figure, value in expected.items():
        errors.check(figure, stored.values["h.0.mlp", figure, 0], value, 1e-5, figure)
    assert stored.values["h.0.mlp", "gate.undefined", 0] == 1


def test_a_block_is_gated_from_its_first_step_on_whatever_the_order_of_its_matrices(daemon):
    d = daemon()
    random = np.random.default_rng(3)
    W = {"mlp.in": random.standard_normal((30, 12)), "mlp.out": random.standard_normal((12, 30)),
         "mlp.gate": random.standard_normal((30, 12)).astype(np.float32)}
    with foreshock.Run("order", endpoint=d.endpoint, wait=30) as run:
        for role, w in W.items():
            run.declare(role, shape=w.shape, role=role, block="b")
        for role, w in W.items():
            run.weights(0, role, w)
        assert run.flush(timeout=30)
        assert not run.errors
    stored, errors = Stored(d, "order"), Errors()
    check_neurons(errors, stored, "b", 0, W["mlp.in"], W["mlp.out"], W["mlp.gate"].astype(np.float64))


def test_what_is_undefined_is_not_published(daemon):
    d = daemon()
    with foreshock.Run("zeros", endpoint=d.endpoint, wait=30) as run:
        run.declare("lora.B", shape=(8, 16))
        run.weights(0, "lora.B", np.zeros((8, 16), np.float32))
        run.activations(0, "lora.B", np.ones((4, 16), np.float32))
        run.log(0, loss=float("nan"))
        run.log(1, loss=1.0)
        assert run.flush(timeout=30)
    text = json.dumps(d.api("/api/v1/runs/zeros"))
    assert "NaN" not in text and "Infinity" not in text
    stored = Stored(d, "zeros")
    assert stored.values["lora.B", "weights.norm", 0] == 0
    assert ("lora.B", "spectral.sigma1", 0) not in stored.values
    assert ("lora.B", "rotation.from_init", 0) not in stored.values
    assert d.api("/api/v1/runs/zeros")["undefined"] > 0
    loss = d.api("/api/v1/runs/zeros/series?metric=loss")["series"][0]
    assert loss["last"] == [None, 1.0] and loss["nonfinite"] == [1, 0]


def test_weights_that_are_not_finite_leave_the_tracked_state_alone(daemon):
    d = daemon()
    random = np.random.default_rng(2)
    W = random.standard_normal((40, 24))
    bad = W.copy()
    bad[3, 4], bad[5, 6] = np.nan, np.inf
    with foreshock.Run("nan", endpoint=d.endpoint, wait=30) as run:
        run.declare("l", shape=W.shape)
        for step, w in ((0, W), (5, bad), (10, W)):
            run.weights(step, "l", w)
        assert run.flush(timeout=30)
    stored = Stored(d, "nan")
    assert [stored.values["l", "weights.nonfinite", s] for s in (0, 5, 10)] == [0, 2, 0]
    assert ("l", "spectral.sigma1", 5) not in stored.values and ("l", "weights.norm", 5) not in stored.values
    assert stored.values["l", "spectral.turn", 10] < 1e-6
    assert abs(stored.values["l", "rotation.from_init", 10]) < 1e-12
    assert stored.values["l", "rotation.interval", 10] == 10
    (alert,) = d.alerts("nan", rule="nonfinite")
    assert alert["severity"] == "critical" and alert["layers"] == ["l"] and alert["started_step"] == 5
