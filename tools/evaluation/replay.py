"""Runs through alerts-replay, which holds the very detectors of the daemon."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .recording import BadRecording, Cadence, Run, stream

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("build", "build/plain", "build/check/gcc", "build/quickstart")


@dataclass(frozen=True, order=True)
class Alarm:
    """`severity`: warning or critical, or observed: recorded, told to nobody."""

    id: str
    step: int
    rule: str
    severity: str


def find_program(given: str | None) -> Path:
    """alerts-replay: what is given, else that of a build; BadRecording if there is none."""
    if given:
        if not Path(given).is_file():
            raise BadRecording(f"--replay {given}: no such program")
        return Path(given)
    for place in PLACES:
        program = ROOT / place / "tools" / "alerts-replay" / "alerts-replay"
        if program.is_file():
            return program
    return _build()


def _build() -> Path:
    """A build of alerts-replay alone, in build/evaluation."""
    folder = ROOT / "build" / "evaluation"
    target = "tools/alerts-replay/alerts-replay"
    commands = [["ninja", "-C", str(folder), target]]
    if not (folder / "build.ninja").exists():
        commands.insert(
            0, ["meson", "setup", str(folder), str(ROOT), "--buildtype=release", "-Dtests=disabled"]
        )
    for command in commands:
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        except OSError as error:
            raise BadRecording(f"alerts-replay cannot be built: {error}") from None
        if done.returncode:
            raise BadRecording(f"alerts-replay cannot be built: {done.stdout[-2000:]}")
    return folder / target


def metrics_read(program: Path) -> set[str]:
    """The metrics that any rule reads; all others would be ignored."""
    try:
        done = subprocess.run(
            [str(program), "--metrics"], stdout=subprocess.PIPE, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadRecording(f"{program}: {error}") from None
    return set(done.stdout.split())


def replay(
    program: Path, read: set[str], run: Run, cadence: Cadence, settings: Sequence[str] = ()
) -> list[Alarm]:
    """The alarms of one run, in order of step. `settings`: RULE.KEY=VALUE, in place of the defaults."""
    done = subprocess.run(
        [str(program), *settings], input=stream(run, cadence, read), capture_output=True
    )
    if done.returncode:
        raise BadRecording(f"{run.id}: {done.stderr.decode().strip() or done.returncode}")
    return sorted(
        Alarm(run.id, int(row["step"]), row["rule"], row["severity"])
        for row in csv.DictReader(done.stdout.decode().splitlines())
    )


def check_settings(program: Path, settings: Sequence[str]) -> None:
    """BadRecording if alerts-replay does not know one of them, or not that value."""
    done = subprocess.run([str(program), *settings], input=b"", capture_output=True)
    if done.returncode:
        raise BadRecording(done.stderr.decode().strip().removeprefix("alerts-replay: "))


def replay_all(
    program: Path,
    loaders: Iterable[Callable[[], Run]],
    cadence: Cadence,
    jobs: int,
    settings: Sequence[str] = (),
) -> list[Alarm]:
    """Each run is loaded when its turn comes."""
    check_settings(program, settings)
    read = metrics_read(program)
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda load: replay(program, read, load(), cadence, settings), loaders)
        return [alarm for alarms in found for alarm in alarms]


def write_alarms(path: str, alarms: Iterable[Alarm]) -> None:
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "step", "rule", "severity"])
        writer.writerows((a.id, a.step, a.rule, a.severity) for a in alarms)


def read_alarms(path: str) -> list[Alarm]:
    with open(path, newline="") as file:
        return [
            Alarm(
                row["id"],
                int(float(row["step"])),
                row.get("rule") or "",
                row.get("severity") or "warning",
            )
            for row in csv.DictReader(file)
        ]
