"""The Markdown pages and the fenced blocks in them.

What a block is shows in its info string, and every block has one:

    python      run, top to bottom, in one namespace for the whole page
    output      what the Python block above it prints
    console     commands behind `$ `, run, with what they print below them
    sql         run on the page's PostgreSQL database
    text        not run: for another machine, for the network, or only to be looked at
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

LANGUAGES = frozenset({"python", "output", "console", "sql", "text"})

_FENCE = "```"


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its first line of text."""

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/*.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    found = []
    lines = enumerate(page.read_text("utf-8").splitlines(), 1)
    for number, line in lines:
        if not line.lstrip().startswith(_FENCE):
            continue
        body = []
        for _, inner in lines:
            if inner.strip() == _FENCE:
                break
            body.append(inner)
        else:
            raise AssertionError(f"{name_of(page)}, line {number}: the block has no end")
        found.append(Block(page, line.strip().removeprefix(_FENCE), "\n".join(body), number + 1))
    return found
