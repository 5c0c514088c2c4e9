"""Writes the C source of the embedded files: the dashboard, and proto/openapi.yaml turned into JSON.

Usage: embed.py OUT.c FILE...
"""
import json
import pathlib
import sys

import yaml

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


def load(path: pathlib.Path) -> "tuple[str, bytes]":
    """The name under which a file is served, and its bytes."""
    if path.suffix == ".yaml":
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return path.stem + ".json", json.dumps(document, ensure_ascii=False).encode()
    return path.name, path.read_bytes()


def c_array(name: str, data: bytes) -> str:
    """A C array of bytes, twenty a line."""
    rows = [",".join(map(str, data[i : i + 20])) for i in range(0, len(data), 20)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(rows) + "\n};\n"


def main(out: str, *files: str) -> None:
    """Writes `out` from `files`."""
    assets = [load(pathlib.Path(name)) for name in files]
    parts = ['#include "daemon/http/page.h"\n']
    parts += [c_array(f"asset_{i}", data) for i, (_, data) in enumerate(assets)]
    rows = [
        f'    {{ "{name}", "{TYPES[pathlib.Path(name).suffix]}", asset_{i}, sizeof asset_{i} }},\n'
        for i, (name, _) in enumerate(assets)
    ]
    parts.append("const struct page_asset page_assets[] = {\n" + "".join(rows) + "};\n")
    parts.append("const size_t page_assets_count = sizeof page_assets / sizeof *page_assets;\n")
    pathlib.Path(out).write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
