"""Two short trainings of lab/trials, one that fails and one that does not, watched by a real foreshockd: what it stored is
what is exact, what it says is right, and the same comes out when its database, or the recording, is replayed."""

import csv
import json
import logging
import subprocess
import sys

import numpy as np
import pytest

from harness import ROOT, build_folder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
if not (ROOT / "lab").is_dir():
    pytest.skip("lab/ is not in the release", allow_module_level=True)
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "lab")]

from trials.agreement import Comparison  # noqa: E402
from trials.live import compare, train, trial  # noqa: E402
from trials.settings import Settings  # noqa: E402

SMALL = {"width": 32, "layers": 2, "batch": 4, "context": 16, "every": 10}
HEALTHY = Settings.of({**SMALL, "id": "healthy", "cause": "adamw", "seed": 1, "steps": 150})
FAILING = Settings.of({**SMALL, "id": "failing", "cause": "jump_sgd", "intent": "failing", "seed": 2, "steps": 200,
                       "optimizer": "sgd", "lr": 0.1, "clip": 0.0, "weight_decay": 0.0, "mlp": "gelu", "norm": "layer",
                       "events": [{"type": "lr", "at": 75, "mult": 1000.0}]})


def evaluate(source, out, *arguments):
    """The alarms that foreshock-eval finds: (id, step, rule, severity)."""
    program = build_folder() / "tools" / "alerts-replay" / "alerts-replay"
    subprocess.run(["/usr/bin/python3", ROOT / "tools" / "foreshock-eval", source, "-o", out, "--replay", program, *arguments],
                   check=True, timeout=60)
    with open(out, newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "step", "rule", "severity"]
    return [(name, int(step), rule, severity) for name, step, rule, severity in rows[1:]]


def test_a_failing_and_a_healthy_training(daemon, folder):
    torch.set_num_threads(1)
    logging.getLogger("foreshock.alerts").setLevel(logging.CRITICAL)
    d = daemon()
    outcomes, comparison = [], Comparison()
    for settings in (HEALTHY, FAILING):
        outcomes.append(trial(settings, d))
        compare(outcomes[-1], d, comparison)
    print("\n".join(comparison.lines()))
    assert comparison.good() and comparison.missing == 0, "\n".join(comparison.lines())
    assert comparison.samples > 14 * 15 and len(comparison.largest) >= 15

    healthy, failing = outcomes
    assert healthy.row["label"] == "healthy" and healthy.alarms == []
    assert failing.row["label"] == "diverged" and 75 <= failing.row["explosion_step"] < 90
    assert failing.alarms and all(alarm.step >= 75 for alarm in failing.alarms)
    assert "nonfinite" in {alarm.rule for alarm in failing.alarms}

    live = sorted((a.id, a.step, a.rule, a.severity) for outcome in outcomes for a in outcome.alarms)
    assert sorted(evaluate(d.state_dir, folder / "alarms.csv")) == live


def test_a_recording_is_what_the_training_was(folder, daemon):
    """The file of a recorded run holds the same figures, and foreshock-eval reads it by `id` and `file` alone."""
    d = daemon()
    recording, reference = train(FAILING, d.endpoint)
    (folder / "runs").mkdir()
    row = recording.manifest_row(1.0)
    recording.save(folder / "runs" / "failing.npz", row)
    with np.load(folder / "runs" / "failing.npz") as run:
        assert run["M"].shape == (len(run["sample_steps"]), len(run["layers"]), len(run["metrics"]))
        sigma1 = run["M"][:, :, list(run["metrics"]).index("sigma1")]
        for (layer, step), exact in reference.exact.items():
            t, k = list(run["sample_steps"]).index(step), list(run["layers"]).index(layer)
            assert sigma1[t, k] == exact.values["sigma1"]
        assert list(run["roles"][:7]) == ["attn.q", "attn.k", "attn.v", "attn.o", "mlp.in", "mlp.out", "attn.q"]
        assert set(run["blocks"]) == {"", "0.mlp", "1.mlp"} and run["Q"].shape[1:] == (2, 3, 7)
    (folder / "manifest.json").write_text(json.dumps([{"id": "a", "file": "runs/failing.npz", "cause": 3, "label": None}]))
    alarms = evaluate(folder, folder / "alarms.csv")
    assert alarms and {name for name, *_ in alarms} == {"a"} and all(step >= 75 for _, step, *_ in alarms)
    assert evaluate(folder, folder / "one.csv", "--rule", "nonfinite", "--every", "20") != []


@pytest.mark.parametrize("arguments, complaint", [
    (["--every", "0"], "--every 0: expected a whole number above 0"),
    (["--every", "7"], "a was sampled each 5 steps, so expected a multiple of 5"),
    (["--only", "b"], "--only b: not in"),
    (["--replay", "/nowhere"], "/nowhere: no such program"),
    (["--set", "gradient.ratio=0"], "rule gradient: ratio is 0, expected a number from 1 to"),
    (["--set", "gradient.ration=2"], "rule gradient has no setting 'ration'"),
    (["--set", "gradients.ratio=2"], "'gradients.ratio=2': no such rule, expected one of nonfinite, sigma_growth, "),
    (["--set", "gradient.ratio=2x"], "'gradient.ratio=2x', expected RULE.KEY=VALUE"),
    (["--set", "gradient.mode=loud"], "rule gradient: mode is 'loud', expected off, observe or on"),
])
def test_what_cannot_be_replayed_is_told_in_a_line(folder, arguments, complaint):
    (folder / "runs").mkdir()
    np.savez(folder / "runs" / "a.npz", loss=np.ones(20), gnorm=np.ones(20), lr=np.ones(20), sample_steps=np.arange(0, 20, 5),
             layers=np.array(["0.q"]), metrics=np.array(["sigma1", "sigma2", "v1_stab"]), M=np.ones((4, 1, 3)))
    (folder / "manifest.json").write_text('[{"id": "a", "file": "runs/a.npz"}]')
    replay = [] if "--replay" in arguments else ["--replay", build_folder() / "tools" / "alerts-replay" / "alerts-replay"]
    done = subprocess.run(["/usr/bin/python3", ROOT / "tools" / "foreshock-eval", folder, "-o", folder / "o.csv", *replay,
                           *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and complaint in done.stderr and done.stderr.count("\n") == 1
