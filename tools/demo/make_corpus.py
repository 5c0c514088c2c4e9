#!/usr/bin/env python3
"""Prints corpus.txt anew from SQLite's documentation (Debian's package sqlite3-doc).

make_corpus.py [/usr/share/doc/sqlite3] > corpus.txt

The paragraphs of each page, in order of the pages' names; a paragraph that stands on several pages
is taken once. Pages of cross references and of generated diagrams hold no prose and are left out,
as are the forms and codes of its contributors. Seven-bit ASCII, lines of at most 76 characters.
"""

from __future__ import annotations

import sys
import textwrap
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

PAGES = "/usr/share/doc/sqlite3"
BYTES = 440_000  # about; whole paragraphs
LEAST = 60  # characters of a paragraph: shorter ones are labels
LEFT_OUT = ("crossref", "sitemap", "keyword", "requirements", "syntax", "agreement", "prosupport",
            "copyright", "codeof")


class Paragraphs(HTMLParser):
    """Collects the text of <p> elements; SQLite's pages close few of them."""

    ENDS = {"p", "li", "ul", "ol", "dl", "dd", "dt", "h1", "h2", "h3", "h4", "div", "table",
            "blockquote", "pre", "svg", "center"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag in self.ENDS:
            self._end()
        if tag == "p":
            self.text = []

    def handle_endtag(self, tag: str) -> None:
        if tag in self.ENDS:
            self._end()

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def _end(self) -> None:
        words = " ".join("".join(self.text or []).split())
        self.text = None
        if len(words) >= LEAST:
            self.found.append(words)


def ascii_only(text: str) -> str:
    quotes = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
    plain = unicodedata.normalize("NFKD", text.translate(quotes))
    return plain.encode("ascii", "ignore").decode()


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else PAGES)
    seen: set[str] = set()
    written = 0
    for page in sorted(folder.glob("*.html")):
        if any(word in page.name for word in LEFT_OUT):
            continue
        parser = Paragraphs()
        parser.feed(page.read_text(encoding="utf-8", errors="replace"))
        for paragraph in map(ascii_only, parser.found):
            if paragraph in seen:
                continue
            seen.add(paragraph)
            text = textwrap.fill(paragraph, 76) + "\n\n"
            sys.stdout.write(text)
            written += len(text)
            if written >= BYTES:
                return


if __name__ == "__main__":
    main()
