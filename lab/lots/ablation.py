#!/usr/bin/env python3
"""What each special case and constant of the rules is worth: the score of stored runs without it.

    ablation.py SOURCE... [-o TABLE.md] [--case NAME...] [--jobs N]

SOURCE is a folder of recorded runs as for tools/foreshock-eval (tests/lots/*). A case is dropped by a setting
(foreshock-eval --set) or, where it is none, by a patch of the source, in a copy that is built aside. The table has a row
a case: how many slow failures are then detected, their median lead and share, the sudden ones, the healthy runs with a
false alarm and the runs with an early one; and the runs that are judged otherwise, + for better and - for worse.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "lab" / "lots")]

from cases import APART, CASES, METRICS, Case  # noqa: E402
from evaluation import corpus  # noqa: E402
from evaluation.recording import Cadence, stream  # noqa: E402
from evaluation.replay import Alarm, find_program  # noqa: E402
from evaluation.scoring import COUNTED, read_manifest, score  # noqa: E402

LEAD_WORTH = 10  # steps: a lead that changes by less is the same


class Streams:
    """What alerts-replay reads of the runs for some rules, written once."""

    def __init__(self, sources: list[Path], folder: Path) -> None:
        self.folder = folder
        self.runs = [corpus.load(*run) for source in sources for run in corpus.run_ids(source)]
        self.lock = Lock()

    def of(self, rules: tuple[str, ...]) -> Path:
        path = self.folder / "-".join(("stream", *sorted(rules)))
        read = {metric for rule in rules for metric in METRICS[rule]}
        with self.lock:
            if not path.exists():
                with open(path, "wb") as out:
                    for run in self.runs:
                        out.write(stream(run, Cadence(), read))
        return path


def replay(program: Path, rules: tuple[str, ...], settings: list[str], streams: Streams) -> list[Alarm]:
    """The alarms of some rules, without the others."""
    off = [f"{rule}.mode=off" for rule in METRICS if rule not in rules]
    with open(streams.of(rules), "rb") as file:
        done = subprocess.run([str(program), *off, *settings], stdin=file, capture_output=True)
    if done.returncode:
        sys.exit(f"{settings}: {done.stderr.decode().strip()}")
    rows = csv.DictReader(done.stdout.decode().splitlines())
    return [Alarm(r["id"], int(r["step"]), r["rule"], r["severity"]) for r in rows]


class Builder:
    """alerts-replay with patches: what a case does not touch is compiled once."""

    FLAGS = ("-std=gnu11", "-O2", "-D_GNU_SOURCE")

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        for part in ("daemon/detectors", "daemon/alerts", "tools/alerts-replay"):
            shutil.copytree(ROOT / part, self.tree / part)
        detectors = self.tree / "daemon" / "detectors"
        model = detectors / "risk_model"
        subprocess.run(
            [sys.executable, detectors / "embed_risk_model.py", f"{model}.json", f"{model}.c"], check=True
        )
        for name in ("daemon/core/alert_record.c", "daemon/core/error.c", "proto/utf8.c"):
            (self.tree / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.tree / name)
        self.sources = sorted(path.relative_to(self.tree) for path in self.tree.rglob("*.c"))
        self.objects = {source: self._compile(self.tree, source) for source in self.sources}

    def _compile(self, tree: Path, source: Path) -> Path:
        out = (tree / source).with_suffix(".o")
        command = ["gcc", *self.FLAGS, f"-I{tree}", f"-I{self.tree}", f"-I{ROOT}", "-c", tree / source, "-o", out]
        subprocess.run(command, check=True)
        return out

    def build(self, case: Case) -> Path:
        tree = self.tree.with_name(case.name.replace("/", "_"))
        touched = {Path(name) for name, *_ in case.patches}
        for name in touched:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.tree / name, tree / name)
        for name, old, new in case.patches:
            text = (tree / name).read_text()
            if text.count(old) != 1:
                raise SystemExit(f"{case.name}: {name} has {text.count(old)} times {old!r}")
            (tree / name).write_text(text.replace(old, new))
        objects = dict(self.objects)
        again = self.sources if any(name.suffix == ".h" for name in touched) else touched
        for source in again:
            if not (tree / source).exists():
                (tree / source).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.tree / source, tree / source)
            objects[source] = self._compile(tree, source)
        program = tree / "replay"
        subprocess.run(["gcc", *objects.values(), "-lm", "-o", program], check=True)
        return program


def of_run(row: dict, alarms: list[Alarm]) -> tuple:
    """What a run adds to a score, larger is better: (right, share of the lead)."""
    one = score("", [row], alarms)
    wrong = len(one.false_alarms) + len(one.early)
    lead = one.slow_leads[0] if one.slow_leads else 0
    return (-wrong - one.false_critical, bool(one.slow_leads) + one.prompt, lead)


def changes(rows: list[dict], before: list[Alarm], after: list[Alarm]) -> list[str]:
    by = {row["id"]: ([], []) for row in rows}
    for i, alarms in enumerate((before, after)):
        for alarm in alarms:
            by[alarm.id][i].append(alarm)
    found = []
    for row in rows:
        old, new = (of_run(row, alarms) for alarms in by[row["id"]])
        if old[:2] != new[:2]:
            found.append(("+" if new[:2] > old[:2] else "-") * 2 + row["id"])
        elif abs(new[2] - old[2]) >= LEAD_WORTH:
            found.append(("+" if new[2] > old[2] else "-") + row["id"])
    return found


def cells(rows: list[dict], alarms: list[Alarm]) -> list[str]:
    total = score("", rows, alarms)
    lead = f"{statistics.median(total.slow_leads):.0f}" if total.slow_leads else "–"
    share = f"{100 * statistics.median(total.shares):.1f} %" if total.shares else "–"
    mean = f"{100 * statistics.mean(total.shares):.1f} %" if total.shares else "–"
    return [
        f"{len(total.slow_leads)}/{total.slow}", lead, share, mean,
        f"{total.prompt}/{total.diverged - total.slow}",
        f"{len(total.false_alarms)}/{total.healthy}", f"{total.false_critical}", f"{len(total.early)}",
        f"{total.survivors_hit}/{total.survived}", str(sum(a.severity in COUNTED for a in alarms)),
    ]


HEAD = ["dropped", "by", "slow", "lead", "share", "mean share", "sudden", "false", "critical", "early", "survivors", "alerts", "runs"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--case", nargs="+", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    cases = [case for case in CASES if not options.case or case.name in options.case]
    rows = [row for source in options.sources for row in read_manifest(source / "manifest.json")]
    with tempfile.TemporaryDirectory() as folder:
        program = find_program(None)
        streams = Streams(options.sources, Path(folder))
        builder = Builder(Path(folder))
        plain = [alarm for rules in APART for alarm in replay(program, rules, [], streams)]
        lines = [HEAD, ["nothing", "", *cells(rows, plain), ""]]

        def judge(case: Case) -> list[Alarm]:
            used = builder.build(case) if case.patches else program
            kept = [alarm for alarm in plain if alarm.rule not in case.rules]
            return kept + replay(used, case.rules, list(case.settings), streams)

        with ThreadPoolExecutor(options.jobs) as pool:
            for case, alarms in zip(cases, pool.map(judge, cases)):
                changed = changes(rows, plain, alarms)
                shown = " ".join(changed[:12]) + (f" and {len(changed) - 12} more" if len(changed) > 12 else "")
                lines.append([case.name, case.by, *cells(rows, alarms), shown])
                print(" | ".join(lines[-1]), flush=True)
    text = "".join("| " + " | ".join(line) + " |\n" + ("|" + " --- |" * len(HEAD) + "\n" if i == 0 else "") for i, line in enumerate(lines))
    if options.out:
        options.out.write_text(text)
    print(" | ".join(lines[1]))


if __name__ == "__main__":
    main()
