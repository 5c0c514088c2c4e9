"""Holds the rooms of the tree: no arrow runs up, no circle stands within a room, names say where they live.

    tests/rooms.py BUILD        # what is wrong, one finding a line; exit status 1 if anything is

A room is a folder of C. The table below says what each may know; it may also use what those know. Symbols come from the
objects that BUILD's compile_commands.json lists (nm), includes and tags from the sources. A finding that stands in KNOWN is
left out, and an entry of KNOWN that no finding matches is a finding itself: the list can only shrink.
"""

import collections
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys

ROOMS = {
    "proto": [],
    "schema": [],
    "daemon/core": ["proto"],
    "daemon/analysis": ["daemon/core"],
    "daemon/detectors": ["daemon/core"],
    "daemon/alerts": ["daemon/detectors"],
    "daemon/ingest": ["daemon/core", "proto"],
    "daemon/store": ["daemon/core", "schema"],
    "daemon/block": ["daemon/core", "daemon/analysis"],
    "daemon/runs": ["daemon/ingest", "daemon/block", "daemon/store"],
    "daemon/evaluator": ["daemon/alerts", "daemon/store"],
    "daemon/http": ["daemon/store"],
    "daemon/notify": ["daemon/store"],
    "daemon/config": ["daemon/alerts", "daemon/notify"],
    "client/cli": ["proto"],
}

# The programs: they know every room and need no header.
MAINS = ["daemon/main.c", "client/cli/main.c"]

# Files that share a header, because each is one row of a table which that header declares.
ROWS = {
    "daemon/analysis/kernels_*.c": "daemon/analysis/kernels.h",  # one source, compiled for each instruction set
    "daemon/http/api_*.c": "daemon/http/api.h",  # the handlers of the routes
    "client/cli/cmd_*.c": "client/cli/cli.h",  # the commands
}

# Exported names that are not ours to choose: the process has an accept() of its own before libc's.
FOREIGN_NAMES = {"accept", "accept4"}

# What is not mended yet: patterns of findings (fnmatch).
KNOWN = []


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def room_of(path, rooms):
    folder = os.path.dirname(path)
    while folder and folder not in rooms:
        folder = os.path.dirname(folder)
    return folder or None


def known_by(rooms):
    """Room -> every room that it may use. Fails on a circle in the table itself."""
    def reach(room, way):
        if room in way:
            raise ValueError("the table of rooms has a circle: " + " -> ".join(way + [room]))
        found = {room}
        for below in rooms[room]:
            found |= reach(below, way + [room])
        return found

    return {room: reach(room, []) for room in rooms}


def sources(root, rooms, suffix):
    for room in sorted(rooms):
        for path in sorted((root / room).rglob("*" + suffix)):
            name = path.relative_to(root).as_posix()
            if room_of(name, rooms) == room:
                yield name


class Objects:
    """Which file of a room defines and which uses a symbol, as nm tells of the objects of a build."""

    def __init__(self, root, build, rooms):
        self.defined = {}  # symbol -> source
        self.exported = collections.defaultdict(set)  # source -> symbols
        self.used = collections.defaultdict(set)  # source -> symbols
        self.generated = set()
        self.missing = []
        for entry in json.loads((build / "compile_commands.json").read_text()):
            self.add(root, build, rooms, entry)

    def add(self, root, build, rooms, entry):
        output = (build / entry["output"]).resolve()
        path = (build / entry["file"]).resolve()
        made = build.resolve() in path.parents
        source = path.relative_to(build.resolve() if made else root.resolve()).as_posix()
        if not room_of(source, rooms) and source not in MAINS:
            return
        if made:
            self.generated.add(source)
        if not output.exists():
            self.missing.append(output)
            return
        lines = subprocess.run([os.environ.get("NM", "nm"), "-P", output], check=True, capture_output=True, text=True)
        for line in lines.stdout.splitlines():
            name, kind = line.split()[:2]
            if name.startswith("__"):  # a sanitizer's or the compiler's
                continue
            if kind in "UwV":
                self.used[source].add(name)
            elif kind.isupper() and name != "main":
                self.exported[source].add(name)
                self.defined[name] = source

    def edges(self):
        """(user, owner) -> symbols"""
        found = collections.defaultdict(set)
        for source, names in self.used.items():
            for name in names & self.defined.keys():
                if self.defined[name] != source:
                    found[source, self.defined[name]].add(name)
        return found


def some(names):
    names = sorted(names)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def check_symbols(objects, rooms):
    may = known_by(rooms)
    for (user, owner), names in sorted(objects.edges().items()):
        if user in MAINS:
            continue
        if room_of(owner, rooms) not in may[room_of(user, rooms)]:
            yield f"symbol: {user} uses {owner}: {some(names)}"


def included_by(root, name):
    """What a file includes, as paths below the root; what is written otherwise than a path in quotes or brackets as it stands."""
    for written in re.findall(r"^\s*(?:#|%:)\s*include\b\s*(.+)", (root / name).read_text(), re.M):
        path = re.search(r'["<]([^">]+)[">]', written)
        beside = os.path.normpath(pathlib.Path(name).parent / path[1]) if path else written.strip()
        yield beside if path and (root / beside).is_file() else os.path.normpath(path[1]) if path else beside


def check_includes(root, rooms):
    may = known_by(rooms)
    for suffix in (".c", ".h"):
        for name in sources(root, rooms, suffix):
            if name in MAINS:
                continue
            for included in included_by(root, name):
                room = room_of(included, rooms)
                if room and room not in may[room_of(name, rooms)]:
                    yield f"include: {name} includes {included}"


def components(graph):
    """Strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for below in sorted(graph.get(node, ())):
            if below not in index:
                visit(below)
                low[node] = min(low[node], low[below])
            elif below in stack:
                low[node] = min(low[node], index[below])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def check_circles(objects, rooms):
    edges = objects.edges()
    graph = collections.defaultdict(set)
    for user, owner in edges:
        if room_of(user, rooms) == room_of(owner, rooms):
            graph[user].add(owner)
    for circle in components(graph):
        ways = [f"{os.path.basename(user)} -> {os.path.basename(owner)} ({some(names)})"
                for (user, owner), names in sorted(edges.items()) if user in circle and owner in circle]
        yield f"circle: {' '.join(circle)}: {'; '.join(ways)}"


def without_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.S)


def check_tags(root, rooms):
    where = collections.defaultdict(list)
    for suffix in (".h", ".c"):
        for name in [*sources(root, rooms, suffix), *(main for main in MAINS if main.endswith(suffix))]:
            if name in MAINS and room_of(name, rooms):
                continue
            if not (root / name).exists():
                continue
            for kind, tag in re.findall(r"\b(struct|union|enum)\s+(\w+)\s*\{", without_comments((root / name).read_text())):
                where[tag].append(name)
    for tag, files in sorted(where.items()):
        if len(files) > 1:
            yield f"tag: {tag} is defined in {' and in '.join(files)}"


def check_headers(root, rooms):
    for name in sources(root, rooms, ".c"):
        if name in MAINS or (root / name).with_suffix(".h").exists():
            continue
        shared = [header for pattern, header in ROWS.items() if matches(name, [pattern])]
        if not any((root / header).exists() for header in shared):
            yield f"header: {name} has none of its own"


def prefixes(source):
    """`alerts/track.c` may export track_x and alert_x, `http/api_runs.c` also api_x."""
    room, stem = os.path.basename(os.path.dirname(source)), pathlib.PurePath(source).stem
    words = stem.split("_")
    families = {"_".join(words[:n]) for n in range(1, len(words) + 1)} | {room}
    return families | {name.rstrip("s") for name in families}


def check_names(objects):
    for source, names in sorted(objects.exported.items()):
        if source in MAINS:
            continue
        good = prefixes(source)
        bad = [name for name in names - FOREIGN_NAMES
               if not any(name == prefix or name.startswith(prefix + "_") for prefix in good)]
        if bad:
            yield f"name: {source} exports {some(bad)}"


def check_top(root):
    for path in sorted((root / "daemon").glob("*.[ch]")):
        if path.name != "main.c":
            yield f"top: {path.relative_to(root).as_posix()} is in no room"


def check_contributing(root, rooms):
    path = root / "CONTRIBUTING.md"
    text = path.read_text() if path.exists() else ""
    for room in rooms:
        if f"`{room}/`" not in text:
            yield f"contributing: CONTRIBUTING.md does not say what `{room}/` is"


def check(root, build, rooms=None, known=None):
    """Every finding that `known` does not name, as text."""
    rooms = ROOMS if rooms is None else rooms
    known = KNOWN if known is None else known
    root, build = pathlib.Path(root), pathlib.Path(build)
    objects = Objects(root, build, rooms)
    if objects.missing:
        return [f"build: {path} is not there; build first" for path in objects.missing]
    findings = [*check_symbols(objects, rooms), *check_includes(root, rooms), *check_circles(objects, rooms),
                *check_tags(root, rooms), *check_headers(root, rooms), *check_names(objects), *check_top(root),
                *check_contributing(root, rooms)]
    stale = [f"known: no finding is like {pattern!r} any more; take it off the list"
             for pattern in known if not any(fnmatch.fnmatchcase(finding, pattern) for finding in findings)]
    return [finding for finding in findings if not matches(finding, known)] + stale


def main():
    root = pathlib.Path(__file__).resolve().parents[1]
    findings = check(root, sys.argv[1] if len(sys.argv) > 1 else root / "build")
    print("\n".join(findings) if findings else f"{len(ROOMS)} rooms: every arrow runs down, no circle")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
