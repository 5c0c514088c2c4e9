"""The sets of tools/trials: runs keep their numbers, and each of them can be trained."""

import math
import sys

import pytest

from harness import ROOT

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
sys.path.insert(0, str(ROOT / "tools"))

from trials.events import EVENTS  # noqa: E402
from trials.optimizers import OPTIMIZERS  # noqa: E402
from trials.schedules import SCHEDULES  # noqa: E402
from trials.sets import heldout  # noqa: E402
from trials.tasks import TASKS  # noqa: E402
from trials.training import Training  # noqa: E402

RUNS = {s.id: s for s in heldout()}
# The ends of what was appended together: who inserts a run changes the numbers, and so the seeds, of all after it.
PLACES = {"h001": "adamw", "h131": "adversaries_rmsprop", "h132": "nadam", "h234": "averaged_weights",
          "f001": "ramp_slow", "f137": "attention_gain_post_norm"}


def test_runs_keep_their_places():
    assert {name: RUNS[name].cause for name in PLACES} == PLACES
    for letter in "hf":
        causes = [s.cause for s in RUNS.values() if s.id[0] == letter]
        assert len(set(causes)) == len(causes)
    assert len({s.seed for s in RUNS.values()}) == len(RUNS)


def test_every_kind_is_used():
    used = RUNS.values()
    assert {s.optimizer for s in used} == set(OPTIMIZERS) and {s.schedule for s in used} == set(SCHEDULES)
    assert {s.task for s in used} == set(TASKS) and {e["type"] for s in used for e in s.events} == set(EVENTS)


@pytest.mark.parametrize("name", [name for name in RUNS if name[0] == "h"])
def test_a_healthy_run_begins(name):
    """A few steps; what happens later happens at once."""
    settings = RUNS[name]
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
