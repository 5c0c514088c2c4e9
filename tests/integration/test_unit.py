"""foreshockd under the filters, limits and user of its own unit file."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import harness
from harness import until
from raw import Raw
from receiver import Receiver

pytestmark = pytest.mark.packaging

SERVICE_USER = 65533 if os.getuid() == 0 else os.getuid()
EYE = np.eye(64, dtype=np.float32)


class Unit(harness.Daemon):
    """A daemon that runs as its unit does: another user, so with copies that this user can read."""

    def __init__(self, folder, config):
        super().__init__(folder, config)
        self.program = self.folder / "foreshockd"
        shutil.copy(harness.foreshockd(), self.program)
        self.wrapper = self.folder / "unit_filter.py"
        shutil.copy(pathlib.Path(__file__).with_name("unit_filter.py"), self.wrapper)
        self.service = self.folder / "foreshockd.service"
        shutil.copy(harness.build_folder() / "systemd" / "foreshockd.service", self.service)
        self.folder.parent.chmod(0o755)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, SERVICE_USER, SERVICE_USER)

    def command(self):
        return ["/usr/bin/python3", str(self.wrapper), str(self.service), str(SERVICE_USER), str(self.program),
                *super().command()[1:]]


@pytest.fixture
def unit(folder):
    started = []

    def start(config=""):
        started.append(Unit(folder / "unit", config))
        return started[-1].start()

    yield start
    problems = [problem for d in started for problem in d.close()]
    assert not problems, "\n".join(problems)


def test_it_works_under_its_filter(unit):
    """Samples, alerts, queries, a notifier, a reload, a deletion and a stop."""
    with Receiver() as receiver:
        d = unit(f"notifiers: {{hook: {{type: webhook, url: '{receiver.url}'}}}}\n")
        status = pathlib.Path(f"/proc/{d.pid}/status").read_text()
        assert "Seccomp:\t2" in status and f"Uid:\t{SERVICE_USER}" in status  # or this shows nothing
        with Raw(d.endpoint) as raw:
            raw.hello()
            raw.declare(shape=(64, 64))
            for step in range(10):
                raw.tensor(EYE * (step + 1), step=step)
                raw.tensor(EYE, step=step, kind="activations")
                raw.scalars(step, loss=1.0)
                raw.flush()
            raw.tensor(np.full((64, 64), np.nan, np.float32), step=10)
            raw.flush()
            assert d.series("r", "spectral.sigma1", "l")[9] == pytest.approx(10)
            assert len(d.series("r", "sa.mean", "l")) == 10
            until(lambda: receiver.requests, "the webhook")
            os.kill(d.pid, signal.SIGHUP)
            until(lambda: "reloaded" in d.log(), "the reload")
            assert d.request("/metrics")[0] == d.request("/")[0] == 200
            raw.bye()
            until(lambda: d.api("/api/v1/runs/r")["state"] == "ended", "the bye")
            assert d.change("/api/v1/runs/r", "DELETE")[0] == 200
        assert d.stop() == 0, d.log()
        d.start()  # what it left behind is of use to it
        assert d.stop() == 0, d.log()


def test_the_filter_denies_what_the_unit_denies(unit, folder):
    """The same filter around a program that asks for what a daemon need not do."""
    d = unit()
    asked = """
import ctypes, os, socket
def fails(f, *a):
    try: f(*a)
    except OSError as error: return error.errno
    return 0
libc = ctypes.CDLL(None, use_errno=True)
def call(f, *a):
    return ctypes.get_errno() if f(*a) == -1 else 0
print(fails(socket.socket, socket.AF_PACKET, socket.SOCK_RAW), call(libc.unshare, 0x10000000), call(libc.mount, 0, 0, 0, 0, 0),
      call(libc.ptrace, 0, 0, 0, 0), fails(os.sched_setscheduler, 0, 1, os.sched_param(1)), fails(os.nice, -1))
"""
    script = folder / "unit" / "asks.py"
    script.write_text(asked)
    command = d.command()[:4] + [sys.executable, str(script)]
    output = subprocess.run(command, capture_output=True, text=True)
    assert output.stdout.split() == ["97", "1", "1", "1", "1", "1"], output
