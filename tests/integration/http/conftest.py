"""Servers for the tests of the HTTP API."""
import pathlib
import sys
from typing import Any, Callable, Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from serving import Server  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """The mark by which tests of threads are chosen for the build with ThreadSanitizer."""
    config.addinivalue_line("markers", "threads: of interest to ThreadSanitizer")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that only read."""
    running = Server(tmp_path_factory.mktemp("state"))
    yield running
    assert running.stop() == 0


@pytest.fixture
def new_server(tmp_path: pathlib.Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of a test's own; each must stop well."""
    started = []

    def start(**options: Any) -> Server:
        folder = tmp_path / f"state{len(started)}"
        folder.mkdir(mode=0o700)
        started.append(Server(folder, **options))
        return started[-1]

    yield start
    assert [running.stop() for running in started] == [0] * len(started)
