"""The sets of lab/trials: runs keep their numbers, and each of them can be trained."""

import copy
import math
import sys

import pytest

from harness import ROOT

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
if not (ROOT / "lab").is_dir():
    pytest.skip("lab/ is not in the release", allow_module_level=True)
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "lab")]

from trials.events import EVENTS  # noqa: E402
from trials.optimizers import OPTIMIZERS  # noqa: E402
from trials.schedules import SCHEDULES  # noqa: E402
from trials.sets import SETS, heldout  # noqa: E402
from trials.tasks import TASKS  # noqa: E402
from trials.training import Training  # noqa: E402

RUNS = {s.id: s for s in heldout()}
DRAWN = {s.id: s for s in SETS["drawn"]()}
# The ends of what was appended together: who inserts a run changes the numbers, and so the seeds, of all after it.
PLACES = {"h001": "adamw", "h131": "adversaries_rmsprop", "h132": "nadam", "h234": "averaged_weights",
          "f001": "ramp_slow", "f137": "attention_gain_post_norm"}


def test_runs_keep_their_places():
    assert {name: RUNS[name].cause for name in PLACES} == PLACES
    for letter in "hf":
        causes = [s.cause for s in RUNS.values() if s.id[0] == letter]
        assert len(set(causes)) == len(causes)
    assert len({s.seed for s in RUNS.values()}) == len(RUNS)


def test_a_lot_is_drawn_the_same_each_time():
    again = {s.id: s for s in SETS["drawn"]()}
    assert again == DRAWN and len({s.seed for s in DRAWN.values()}) == len(DRAWN) == 220
    drawn_causes = {name: DRAWN[name].cause for name in ("d001", "d160", "e001", "e060")}
    assert drawn_causes == {"d001": "masked_transformer_amsgrad_exponential", "d160": "text_lstm_sgdw_restarts",
                            "e001": "ramp_text_rnn_adam_constant", "e060": "constants_denoising_mlp_adagrad_cosine"}


def test_every_kind_is_used():
    used = RUNS.values()
    assert {s.optimizer for s in used} == set(OPTIMIZERS) and {s.schedule for s in used} == set(SCHEDULES)
    assert {s.task for s in used} == set(TASKS) and {e["type"] for s in used for e in s.events} == set(EVENTS)


@pytest.mark.parametrize("name", [name for name in RUNS if name[0] == "h"] + list(DRAWN)[::8])
def test_a_run_begins(name):
    """A few steps; what happens later happens at once."""
    settings = copy.deepcopy({**RUNS, **DRAWN}[name])
    settings.pretrain = min(settings.pretrain, 2)
    for event in settings.events:
        event["at"] = min(event["at"], 1)
        if "len" in event:
            event["len"] = min(event["len"], 2)
    training = Training(settings)
    training.capture(True)
    for _ in range(4):
        assert math.isfinite(training.step().loss)
    assert all(layer.module.seen is not None for layer in training.watched)
