"""What a real foreshockd holds in memory for a large model, and how long a snapshot of it takes.

    FORESHOCK_BUILD=BUILDDIR python3 tests/bench/bench_memory.py [--params 1e9] [--layers RxC]

A model of bfloat16 matrices is sent snapshot by snapshot, one layer after the other: once to a daemon
that keeps no previous snapshots, once to one that keeps them. Resident memory is that of the process at
its worst (VmHWM), the mapped pages of w(0) with it. One worker; its CPU seconds are those of the whole
daemon, ingest and store included. Then the daemon is started anew with w(0) out of the page cache, and
one more snapshot taken. Fails if memory exceeds 1.1 (with kept snapshots 2.1) times w(0) plus the ingest budget. The extrapolation
is by bytes.
"""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("client/python", "tests/integration"):
    sys.path.insert(0, str(ROOT / folder))

import harness  # noqa: E402
import numpy  # noqa: E402

import foreshock  # noqa: E402

BUDGET = 128 << 20
WAIT = 600.0
SNAPSHOTS = 3  # after the first
CONFIG = """
limits: {{memory_bytes: {budget}, kept_bytes: {kept}}}
workers: 1
"""


class Model:
    """`layers` bfloat16 matrices that drift by about 1e-3 a step: all are alike but for their names."""

    def __init__(self, layers, shape):
        generator = numpy.random.default_rng(1)
        self.names = [f"layers.{i}.weight" for i in range(layers)]
        self.shape = shape
        self.first = generator.standard_normal(shape, dtype=numpy.float32)
        self.first += 2 * numpy.outer(*(generator.standard_normal(n, dtype=numpy.float32)
                                        for n in shape)) / numpy.sqrt(shape[1])
        self.towards = generator.standard_normal(shape, dtype=numpy.float32)
        self.bytes = layers * shape[0] * shape[1] * 2

    def bits(self, step):
        """The weights at a step as bits of bfloat16."""
        now = self.first + numpy.float32(1e-3 * step) * self.towards
        return (now.view(numpy.uint32) >> 16).astype(numpy.uint16)

    def send(self, run, step):
        bits = self.bits(step)
        for name in self.names:
            assert run.weights(step, name, bits, dtype="bfloat16"), f"{name} was dropped"
        assert run.flush(WAIT), f"not flushed: {run.errors}"


def status(daemon, name):
    text = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) << 10


def cpu_seconds(daemon):
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(daemon, function):
    """(wall, cpu) seconds of the daemon while `function` runs."""
    wall, cpu = time.monotonic(), cpu_seconds(daemon)
    function()
    return time.monotonic() - wall, cpu_seconds(daemon) - cpu


def forget_files(folder):
    """Puts the files of w(0) out of the page cache."""
    for path in folder.rglob("*.w0"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def report(what, model, wall, cpu, passes):
    billion = model.bytes / 2e9
    print(f"  {what:12} {wall:6.2f} s, {cpu:6.2f} s of CPU, {passes:4.1f} passes: "
          f"{1e9 * cpu / model.bytes:5.2f} ns of CPU a byte, {cpu / billion:5.1f} s a billion parameters",
          flush=True)


def show_memory(daemon, peak):
    print(f"  at its worst {peak / 1e9:.3f} GB; now {status(daemon, 'RssAnon') / 1e9:.3f} GB of its own "
          f"and {status(daemon, 'RssFile') / 1e9:.3f} GB of files", flush=True)


def measure(model, kept):
    """Peak resident bytes of a daemon that keeps `kept` bytes of previous snapshots."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fs-"))
    daemon = harness.Daemon(folder, CONFIG.format(budget=BUDGET, kept=kept)).start()
    try:
        with foreshock.Run("large", endpoint=daemon.endpoint, wait=WAIT) as run:
            for name in model.names:
                run.declare(name, model.shape, dtype="bfloat16")
            for step in range(SNAPSHOTS + 2):
                if step == SNAPSHOTS + 1:
                    peak = status(daemon, "VmHWM")
                    show_memory(daemon, peak)
                    daemon.stop()
                    forget_files(folder)
                    daemon.start()
                before = daemon.metric("foreshock_passes_total")
                wall, cpu = timed(daemon, lambda: model.send(run, step))
                passes = (daemon.metric("foreshock_passes_total") - before) / len(model.names)
                what = "first" if step == 0 else "cold files" if step > SNAPSHOTS else "snapshot"
                report(what, model, wall, cpu, passes)
            return max(peak, status(daemon, "VmHWM"))
    finally:
        problems = daemon.close()
        shutil.rmtree(folder)
        assert not problems, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=float, default=1e9, help="of the model (default 1e9)")
    parser.add_argument("--layers", default="4096x4096", help="the shape of each")
    parser.add_argument("--without-kept", action="store_true", help="only the daemon that keeps nothing")
    options = parser.parse_args()
    shape = tuple(int(n) for n in options.layers.split("x"))
    model = Model(max(1, round(options.params / (shape[0] * shape[1]))), shape)
    failed = False
    for kept, bound in ((0, 1.1), (2 * model.bytes, 2.1))[: 1 if options.without_kept else 2]:
        print(f"{model.bytes / 2e9:.2f} billion parameters, {len(model.names)} layers of {shape[0]}x{shape[1]} "
              f"bfloat16, {'with' if kept else 'without'} kept previous snapshots:", flush=True)
        ratio = (measure(model, kept) - BUDGET) / model.bytes
        failed |= ratio > bound
        print(f"  without the budget of {BUDGET >> 20} MiB {ratio:.3f} times w(0), {bound} at most: "
              f"{'met' if ratio <= bound else 'MISSED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
