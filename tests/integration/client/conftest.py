"""Fixtures of the client's own tests: a peer on a fresh path, and logs that can be waited for."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "client" / "python"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from peer import Peer  # noqa: E402


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch):
    for name in (
        "FORESHOCK_ENDPOINT",
        "FORESHOCK_RUN_ID",
        "FORESHOCK_DISABLED",
        "RANK",
        "WORLD_SIZE",
        "SLURM_JOB_ID",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "i.sock")


@pytest.fixture
def peer(path):
    made = Peer(path).start()
    yield made
    made.stop()
