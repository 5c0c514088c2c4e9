"""Writes the migrations as a C table: embed.py OUTPUT.c 001_name.sql 002_name.sql ...

A file's name gives its version and name. The versions must be 1, 2, 3 ... without a gap; anything
else ends the build with a message and status 1.
"""

import pathlib
import re
import sys
from typing import List

NAME = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")


def quoted(text: str) -> str:
    """C string literals, one a line of `text`."""
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'        "{escaped}\\n"')
    return "\n".join(lines)


def entry(version: int, path: pathlib.Path) -> str:
    """The table's row for `path`; SystemExit if the file is not named for `version`."""
    match = NAME.fullmatch(path.name)
    if match is None or int(match.group(1)) != version:
        raise SystemExit(f"{path}: expected a file named {version:03d}_<name>.sql")
    sql = quoted(path.read_text(encoding="ascii"))
    return f'    {{{version}, "{match.group(2)}",\n{sql}}},\n'


def main(arguments: List[str]) -> None:
    output, *sources = map(pathlib.Path, arguments)
    sources.sort(key=lambda path: path.name)
    rows = "".join(entry(version, path) for version, path in enumerate(sources, start=1))
    output.write_text(
        '#include "schema/schema.h"\n\n'
        f"const struct schema_migration schema_migrations[] = {{\n{rows}}};\n"
        f"const size_t schema_migration_count = {len(sources)};\n",
        encoding="ascii",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
