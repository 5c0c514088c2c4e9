"""A browser and servers for the tests of the page."""
import pathlib
import sys
from typing import Any, Callable, Iterator

import pytest
from selenium import webdriver

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "integration/http")]

from browsing import open_browser  # noqa: E402
from serving import Server  # noqa: E402


@pytest.fixture
def browser(tmp_path: pathlib.Path) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile."""
    opened = open_browser(tmp_path / "profile")
    yield opened
    opened.quit()


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
    assert [server.stop() for server in started] == [0] * len(started)
