"""What tools/evaluation makes of alarms: rates, leads and how sure they are; when a loss has exploded."""

import struct
import sys

import numpy as np
import pytest
from scipy import stats

from harness import ROOT

if not (ROOT / "lab").is_dir():
    pytest.skip("lab/ is not in the release", allow_module_level=True)
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "lab")]

from evaluation import corpus, golden, packed  # noqa: E402
from evaluation.intervals import clopper_pearson, median_interval  # noqa: E402
from evaluation.recording import BadRecording, Cadence, Layer, Run, Series, figures, stream  # noqa: E402
from evaluation.replay import Alarm  # noqa: E402
from evaluation.scoring import score, table  # noqa: E402
from trials.baselines import DETECTORS, spells  # noqa: E402
from trials.labels import Watchdog, explosion, unsound  # noqa: E402


def run(name, label, onset=0, end=-1, steps=1000):
    return {"id": name, "cause": "c", "label": label, "onset": onset, "explosion_step": end, "steps": steps}


RUNS = [run("slow", "diverged", 300, 700), run("sudden", "diverged", 500, 503), run("missed", "diverged", 100, 400),
        run("quiet", "healthy"), run("loud", "healthy"), run("hurt", "survived", 200)]
ALARMS = [Alarm("slow", 250, "a", "warning"), Alarm("slow", 450, "a", "warning"), Alarm("slow", 500, "b", "critical"),
          Alarm("sudden", 520, "b", "critical"), Alarm("loud", 7, "a", "warning"), Alarm("loud", 9, "a", "warning"),
          Alarm("quiet", 5, "a", "observed"), Alarm("hurt", 300, "a", "warning")]


def test_every_alarm_counts():
    total = score("all", RUNS, ALARMS)
    assert total.leads == total.slow_leads == [250] and (total.diverged, total.slow) == (3, 2)
    assert total.late == ["sudden c +17"] and total.never == ["missed c"] and total.early == ["slow c a@250"]
    assert total.false_alarms == ["loud c a@7"] and total.false_count == 2
    assert (total.healthy, total.healthy_steps, total.survived, total.survivors_hit) == (2, 2000, 1, 1)
    assert sorted(total.shares) == [0, 0.625] and total.prompt == 0 and total.false_critical == 0
    assert score("all", RUNS, [Alarm("sudden", 510, "b", "critical"), Alarm("quiet", 1, "b", "critical")]).prompt == 1
    assert score("all", RUNS, [Alarm("slow", 250, "b", "critical"), Alarm("quiet", 1, "b", "critical")]).false_critical == 2
    assert score("alone", RUNS, ALARMS, ("observed",)).false_alarms == ["quiet c a@5"]
    assert score("b", RUNS, [a for a in ALARMS if a.rule == "b"]).leads == [200]
    text = table(RUNS, [("ours", ALARMS), ("theirs", [])])
    assert "1/3 [1–91 %]" in text and "never: 1: missed c" in text
    with pytest.raises(BadRecording, match="unknown run 'x'"):
        score("all", RUNS, [Alarm("x", 1, "a", "warning")])


@pytest.mark.parametrize("k, n", [(0, 16), (16, 16), (3, 40), (110, 131), (1, 1)])
def test_the_interval_of_a_rate_is_exact(k, n):
    low, high = clopper_pearson(k, n)
    assert low == pytest.approx(0 if k == 0 else stats.beta.ppf(0.025, k, n - k + 1), abs=1e-9)
    assert high == pytest.approx(1 if k == n else stats.beta.ppf(0.975, k + 1, n - k), abs=1e-9)


def test_the_interval_of_a_median_holds_it():
    values = list(np.random.default_rng(0).normal(100, 10, 50))
    low, high = median_interval(values)
    assert low < np.median(values) < high and high - low < 12 and median_interval(values) == (low, high)
    assert median_interval([]) is None


def test_an_explosion_stays_up():
    flat = np.full(1000, 2.0)
    spike, step, blip = flat.copy(), flat.copy(), flat.copy()
    spike[500:560] = 9.0   # comes back within 150 steps
    step[500:] = 3.5
    blip[980:] = 3.5       # too near the end to tell
    lost = np.append(flat[:500], np.nan)
    assert [explosion(loss) for loss in (flat, spike, step, blip, lost)] == [-1, -1, 503, -1, 500]
    assert explosion(np.full(9, np.nan)) == 0
    watchdog = Watchdog()
    assert next(t for t, loss in enumerate(step) if watchdog.over(loss)) in range(655, 670)


def replayed(run, cadence, read):
    """(step, layer's number or 0, metric, value) of each figure, in the order in which they are replayed."""
    series = [(number, one.metric) for number, of in enumerate([run.scalars, *(layer.series for layer in run.layers)]) for one in of]
    steps, which, values = figures(run, cadence, read)
    return [(step, *series[i], value) for step, i, value in zip(steps.tolist(), which.tolist(), values.tolist())]


def test_figures_are_replayed_in_order_of_step_and_at_the_cadence_that_was_asked_for():
    steps = np.arange(100, 130, 5)
    layer = Layer("0.a layer", "", "", [Series("sa.diversity", steps, np.array([0.5, np.nan, 0.25, 1, 1, 1.0])),
                                        Series("sa.mean", steps, np.ones(6))])
    every = np.arange(100, 130)
    recorded = Run("r", 100, [Series("loss", every, np.where(every == 110, np.nan, 1.0), scalar=True)], [layer], steps)
    read = {"loss", "sa.diversity"}
    told = replayed(recorded, Cadence(10, "sampled"), read)
    assert repr(told) == repr([(100, 0, "loss", 1.0), (100, 1, "sa.diversity", 0.5), (110, 0, "loss", np.nan),
                               (110, 1, "sa.diversity", 0.25), (120, 0, "loss", 1.0), (120, 1, "sa.diversity", 1.0)])
    assert sum(layer == 0 for _, layer, *_ in replayed(recorded, Cadence(10), read)) == 30
    assert not any(step == 105 and layer for step, layer, *_ in replayed(recorded, Cadence(), read))  # undefined there
    with pytest.raises(BadRecording, match="each 5 steps"):
        figures(recorded, Cadence(7), read)

    head, _, records = stream(recorded, Cadence(10, "sampled"), read).partition(b"figures 6\n")
    assert head.decode().splitlines() == ["run r", "begins 100", "layer 1 0.a_layer - -", "series 0 loss",
                                          "series 1 sa.diversity", "series 1 sa.mean"]
    assert records.endswith(b"\n")
    assert [row[:2] for row in struct.iter_unpack("=qqd", records[:-1])] == [(i, step) for step in (100, 110, 120) for i in (0, 1)]


def test_layers_are_replayed_in_turn():
    steps = np.arange(0, 60, 10)
    layers = [Layer(f"{i}.in", "mlp.in", f"{i}.mlp", [Series("sa.diversity", steps, np.full(6, 0.5))]) for i in range(3)]
    layers += [Layer(f"{i}.mlp", "", "", [Series("gate.out.p50", steps, np.ones(6))]) for i in range(3)]
    run = Run("r", 0, [Series("loss", np.arange(60), np.ones(60), scalar=True)], layers, steps)
    told = replayed(run, Cadence(10, turns=2), {"loss", "sa.diversity", "gate.out.p50"})
    sampled = {n: [step for step, layer, *_ in told if layer == n] for n in range(1, 7)}
    assert sampled == {1: [0, 20, 40], 2: [0, 20, 40], 3: [10, 30, 50], 4: [0, 20, 40], 5: [0, 20, 40], 6: [10, 30, 50]}
    assert sum(layer == 0 for _, layer, *_ in told) == 60
    with pytest.raises(BadRecording, match="--turns 0"):
        Cadence(turns=0)


def test_baselines_fire_on_what_they_are_for():
    random = np.random.default_rng(0)
    recorded = {"loss": 2 + 0.01 * random.normal(size=600), "gnorm": 1 + 0.01 * random.normal(size=600), "step0": np.array(0),
                "sample_steps": np.arange(0, 600, 10), "metrics": np.array(["wnorm", "act_max"]), "M": np.ones((60, 2, 2))}
    assert not any(list(detector(recorded)) for name, detector in DETECTORS.items() if name != "zclip_2_5")
    recorded["loss"][400:410] = 50.0
    recorded["gnorm"][400:410] = 50.0
    recorded["M"][40:, 1] = 20.0
    for name, detector in DETECTORS.items():
        assert 400 in list(detector(recorded)), name
    assert list(spells(iter([3, 50, 149, 300]))) == [3, 300]


def test_a_run_that_is_not_sound():
    """Weights that ran away without the loss, and a training that has nothing to learn any more."""
    loss, sigma1 = np.full(1000, 2.0), np.ones((100, 3))
    grown, zero_at_first = sigma1.copy(), sigma1.copy()
    grown[50:, 1] = 150.0
    zero_at_first[0] = 0.0
    large = 200.0 * sigma1
    assert [unsound(loss, s) for s in (sigma1, grown, zero_at_first, large)] == [False, True, False, False]
    done = np.append(np.full(400, 2.0), np.zeros(600))
    assert unsound(done, sigma1) and not unsound(done[:700], sigma1)


def recorded_run():
    steps = np.arange(100, 130, 5)
    figures_of_layer = [Series("spectral.sigma1", steps, np.array([1.5, np.nan, 1e-30, 3.25, -0.0, np.inf])),
                        Series("sa.mean", steps, np.ones(6))]
    return Run("r", 100, [Series("loss", np.arange(100, 130), np.linspace(2, 1, 30), scalar=True)],
               [Layer("0.q", "attn.q", "", figures_of_layer), Layer("0.mlp", "", "", [Series("sa.mean", steps, np.ones(6))])], steps)


def test_a_packed_run_is_the_run_as_float32(folder):
    run, read = recorded_run(), {"loss", "spectral.sigma1"}
    packed.save(folder / "r.xz", run, read)
    again = corpus.load("r", folder / "r.xz")
    assert (again.id, again.begins, again.samples.tolist()) == ("r", 100, run.samples.tolist())
    assert [(layer.name, layer.role, layer.block) for layer in again.layers] == [("0.q", "attn.q", "")]
    for old, new in zip([run.scalars[0], run.layers[0].series[0]], [again.scalars[0], again.layers[0].series[0]]):
        assert (old.metric, old.scalar) == (new.metric, new.scalar) and np.array_equal(old.steps, new.steps)
        assert new.values.astype(np.float32).tobytes() == old.values.astype(np.float32).tobytes()
    assert stream(again, Cadence(), read) != b""


def test_what_cannot_be_packed_or_read_is_told(folder):
    run = recorded_run()
    run.layers[0].series[0].steps = run.samples + 1
    with pytest.raises(BadRecording, match="expected figures of each sample"):
        packed.save(folder / "r.xz", run, {"loss", "spectral.sigma1"})
    packed.save(folder / "r.xz", recorded_run(), {"loss"})
    whole = (folder / "r.xz").read_bytes()
    (folder / "r.xz").write_bytes(whole[:-9])
    with pytest.raises(BadRecording, match="r.xz"):
        packed.load("r", folder / "r.xz")


def test_the_golden_table_shows_which_run_changed(folder):
    rows = [{"id": "a", "cause": "x", "label": "healthy", "onset": 0, "explosion_step": -1, "steps": 100},
            {"id": "b", "cause": "y", "label": "diverged", "onset": 10, "explosion_step": 90, "steps": 100}]
    old = golden.text(rows, [Alarm("b", 40, "gradient", "warning")])
    assert old.endswith("a healthy\nb diverged 10-90 gradient@40:warning\n") and "slow 1/1" in old
    (folder / golden.NAME).write_text(old)
    assert golden.difference(folder, old) == ""
    new = golden.difference(folder, golden.text(rows, [Alarm("a", 7, "loss_high", "critical")]))
    assert "+a healthy loss_high@7:critical\n" in new and "-b diverged 10-90 gradient@40:warning\n" in new and "+b diverged 10-90\n" in new
    assert "slow 0/1" in new and "false 1/1" in new
