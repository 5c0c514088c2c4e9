#!/usr/bin/python3
"""Sums JUnit files into the line `N passed, N failed, N skipped`.

Usage: sum_results.py [--broken NAME]... SUITE=FILE...

Each suite must have run something: a file that is missing, is no XML or holds no test counts as one failure, and so does each
`--broken NAME` (a step that ended before there was a file). Names of failures come first, one a line. Exit code 0 if nothing
failed, else 1.
"""
import argparse
import sys
import xml.etree.ElementTree as ElementTree
from typing import List, Tuple


def read(suite: str, path: str) -> Tuple[int, List[str], int]:
    """(passed, names of failures, skipped) of one file."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return 0, [f"{suite}: no results: {error}"], 0
    failed, skipped = [], 0
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{suite}: {case.get('classname') or ''} {case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
    passed = len(cases) - len(failed) - skipped
    if passed + len(failed) == 0:
        failed.append(f"{suite}: ran nothing")
    return passed, failed, skipped


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", action="append", default=[], metavar="NAME")
    parser.add_argument("suites", nargs="*", metavar="SUITE=FILE")
    arguments = parser.parse_args()
    passed, skipped = 0, 0
    failed = [f"{name}: did not run to its end" for name in arguments.broken]
    for item in arguments.suites:
        suite, _, path = item.partition("=")
        good, bad, left_out = read(suite, path)
        print(f"{suite:<28} {good:>5} passed {len(bad):>4} failed {left_out:>4} skipped")
        passed, skipped = passed + good, skipped + left_out
        failed += bad
    for name in failed:
        print(f"FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
