"""The real daemon, in a fresh folder on free ports, for every test that asks for it.

    def test_x(daemon):            # a factory
        d = daemon()               # started; d.url, d.endpoint, d.state_dir, d.admin_token
        d.api("/api/v1/runs")      # JSON of a GET

Which binaries: the environment variable FORESHOCK_BUILD names a build folder (default: build/plain, then build).
"""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import harness  # noqa: E402


@pytest.fixture
def folder():
    """A fresh folder with a short path: a socket's path has at most 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="fs-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def daemon(folder):
    """A factory of daemons. Each must end without a sanitizer's report; what still runs is stopped after the test."""
    started = []

    def start(**options):
        d = harness.Daemon(folder / f"d{len(started)}", **options)
        started.append(d)
        return d.start()

    yield start
    problems = [problem for d in started for problem in d.close()]
    assert not problems, "\n".join(problems)


def pytest_configure(config):
    config.addinivalue_line("markers", "long: of the long list (tools/check --all): many kills, trainings that the others do not need")
    config.addinivalue_line("markers", "xdist_group(name): one after the other in one process (pytest-xdist)")
    config.addinivalue_line("markers", "torch: needs PyTorch")
    config.addinivalue_line("markers", "packaging: runs what ships as it ships, so on a plain build")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
