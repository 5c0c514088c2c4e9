"""A real foreshockd under more than it meets in a day: prints its memory and what it accounts for,
and fails if something is lost, or if memory that it accounts for is not given back.

    FORESHOCK_BUILD=build /usr/bin/python3 tests/bench/stress.py [SCENARIO...]
"""

import pathlib
import re
import shutil
import sys
import tempfile
import time
from typing import Callable, Dict

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("client/python", "tests/integration"):
    sys.path.insert(0, str(ROOT / folder))

import harness  # noqa: E402
import numpy  # noqa: E402

import foreshock  # noqa: E402

MIB = 1 << 20
WAIT = 300.0  # seconds; of a lossless run for room, and for a flush
CONFIGS = {"volume": "limits: {memory_bytes: 64MiB}\n"}  # of the scenarios that want one
VOLUME_MIB = 256  # the budget, four pieces that wait in ZeroMQ, what is kept, and what malloc holds


def memory(daemon: harness.Daemon) -> Dict[str, int]:
    """MiB: of the process now, without mapped files, and at its worst."""
    status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()

    def kib(name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.M)
        return int(found.group(1)) if found else 0

    return {"anon": kib("RssAnon") >> 10, "rss": kib("VmRSS") >> 10, "peak": kib("VmHWM") >> 10}


def report(daemon: harness.Daemon, when: str) -> None:
    now = memory(daemon)
    gauges = {
        name: int(daemon.metric(f"foreshock_{name}_bytes")) // MIB for name in ("ingest", "kept")
    }
    print(
        f"  {when:34} anon {now['anon']:5} MiB  rss {now['rss']:5}  peak {now['peak']:5}"
        f"  ingest {gauges['ingest']:5}  kept {gauges['kept']:5}",
        flush=True,
    )


def flush(run: foreshock.Run) -> None:
    assert run.flush(WAIT), f"not flushed: {run.errors}"
    dropped = run.dropped
    assert dropped == type(dropped)(), f"a lossless run lost {dropped}"


def drifting(shape: tuple, seed: int = 0) -> Callable[[int], numpy.ndarray]:
    """float32 matrices that move a little from step to step."""
    generator = numpy.random.default_rng(seed)
    first = generator.standard_normal(shape, dtype=numpy.float32)
    other = generator.standard_normal(shape, dtype=numpy.float32)
    return lambda step: first + numpy.float32(1e-3 * step) * other


def given_back(daemon: harness.Daemon) -> None:
    """After the last session nothing is accounted for any more."""
    for name in ("ingest", "kept"):
        harness.until(
            lambda: daemon.metric(f"foreshock_{name}_bytes") == 0, f"{name}_bytes to be 0"
        )


def volume(daemon: harness.Daemon) -> None:
    """960 MiB through one layer and a budget of 64 MiB: memory does not grow with what came."""
    weights = drifting((1024, 3072))
    with foreshock.Run("volume", endpoint=daemon.endpoint, wait=WAIT) as run:
        run.declare("layer", (1024, 3072))
        for step in range(64):
            run.weights(step, "layer", weights(step))
            run.activations(step, "layer", weights(0)[:256])
            if step % 16 == 15:
                flush(run)
                report(daemon, f"{(step + 1) * 15} MiB sent")
                now = memory(daemon)
                assert now["anon"] <= VOLUME_MIB, f"memory grows: {now} MiB"
    given_back(daemon)
    report(daemon, "the session is over")


def large(daemon: harness.Daemon) -> None:
    """One matrix of 1 GiB, twice, through the default limits."""
    weights = drifting((16384, 16384))
    with foreshock.Run("large", endpoint=daemon.endpoint, wait=WAIT, memory=2048 * MIB) as run:
        run.declare("layer", (16384, 16384))
        for step in range(2):
            begin = time.monotonic()
            run.weights(step, "layer", weights(step))
            flush(run)
            report(daemon, f"1 GiB committed after {time.monotonic() - begin:.1f} s")
    given_back(daemon)
    report(daemon, "the session is over")
    sigma = daemon.series("large", "spectral.sigma1", "layer")
    assert sorted(sigma) == [0, 1], sigma


def sessions(daemon: harness.Daemon) -> None:
    """64 runs at once."""
    weights = drifting((512, 512))
    runs = [
        foreshock.Run(f"session-{i}", endpoint=daemon.endpoint, wait=WAIT) for i in range(64)
    ]
    for run in runs:
        run.declare("layer", (512, 512))
    begin = time.monotonic()
    for step in range(8):
        for run in runs:
            run.weights(step, "layer", weights(step))
            run.log(step, loss=1.0)
    for run in runs:
        flush(run)
    report(daemon, f"64 sessions, 8 steps: {time.monotonic() - begin:.1f} s")
    for run in runs:
        run.close()
    given_back(daemon)
    report(daemon, "the sessions are over")
    for i in range(64):
        assert len(daemon.series(f"session-{i}", "spectral.sigma1", "layer")) == 8, i


def layers(daemon: harness.Daemon) -> None:
    """One run of 2,000 layers."""
    weights = drifting((64, 128))
    names = [f"model.layers.{i}.weight" for i in range(2000)]
    with foreshock.Run("layers", endpoint=daemon.endpoint, wait=WAIT) as run:
        for name in names:
            run.declare(name, (64, 128))
        for step in range(4):
            begin = time.monotonic()
            for name in names:
                run.weights(step, name, weights(step))
            flush(run)
            report(daemon, f"2,000 layers, step {step}: {time.monotonic() - begin:.1f} s")
    given_back(daemon)
    report(daemon, "the session is over")
    for name in names[::400]:
        assert len(daemon.series("layers", "spectral.sigma1", name)) == 4, name


SCENARIOS = {scenario.__name__: scenario for scenario in (volume, large, sessions, layers)}


def main() -> int:
    failed = 0
    for name in sys.argv[1:] or SCENARIOS:
        scenario = SCENARIOS[name]
        print(scenario.__doc__)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="fs-"))
        daemon = harness.Daemon(folder, CONFIGS.get(name, "")).start()
        try:
            report(daemon, "started")
            scenario(daemon)
        except AssertionError as error:
            print(f"  FAILED: {error}")
            failed += 1
        finally:
            for problem in daemon.close():
                print(f"  FAILED: {problem}")
                failed += 1
            shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
