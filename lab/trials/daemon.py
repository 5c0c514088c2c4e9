"""A foreshockd of our own, in a folder that goes when it is done."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 30
REQUEST_SECONDS = 60


def find_build(given: str | None) -> Path:
    """A build folder that has foreshockd. FileNotFoundError, a line for people, if none has."""
    places = (
        [Path(given)]
        if given
        else [ROOT / p for p in ("build", "build/plain", "build/check/gcc", "build/quickstart")]
    )
    for place in places:
        if (place / "daemon" / "foreshockd").is_file():
            return place.resolve()
    raise FileNotFoundError(
        f"no foreshockd in {', '.join(map(str, places))}: build first "
        "(meson setup build && ninja -C build), or name a build with --build"
    )


class Daemon:
    """Running while the `with` lasts. `endpoint` is for clients, `api` asks over HTTP."""

    def __init__(self, build: Path) -> None:
        self._program = build / "daemon" / "foreshockd"
        self.folder = Path(tempfile.mkdtemp(prefix="foreshock-trials-"))
        self.state_dir = self.folder / "state"
        self.endpoint = f"ipc://{self.folder}/in.sock"
        self.url = ""
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Daemon:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    "--config",
                    "/dev/null",
                    "--state-dir",
                    self.state_dir,
                    "--ingest",
                    self.endpoint,
                    "--http",
                    "127.0.0.1:0",
                ],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        for line in self._process.stdout:
            if found := re.match(rb"foreshockd: http (http://\S+)/$", line):
                self.url = found.group(1).decode()
                return
        raise RuntimeError(f"foreshockd did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, path: str) -> Any:
        """JSON of a GET."""
        with urllib.request.urlopen(self.url + path, timeout=REQUEST_SECONDS) as response:
            return json.load(response)
