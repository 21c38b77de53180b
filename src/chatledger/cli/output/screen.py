"""What people read: styled on a terminal, plain text elsewhere. Everything that passes is made harmless first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from chatledger.cli.output.escaping import neutral, one_line
from chatledger.cli.output.json_output import amount

Part = str | tuple[str, str]
"""Text, or text with a style."""

_GAP = "  "
# What a column that may be shortened keeps.
_LEAST = 20


@dataclass(frozen=True)
class Column:
    """One column of a table. On a narrow terminal the highest ranks go to a second line first; rank 0 always stays."""

    header: str
    rank: int = 0
    right: bool = False
    flexible: bool = False
    """May be shortened on a terminal."""


class Screen:
    """Standard output or standard error, for people."""

    def __init__(self, file: TextIO | None = None) -> None:
        # The stream of now: a responder's own output is sent elsewhere while it runs.
        self._file = file or sys.stdout
        self._console = Console(file=self._file, highlight=False, markup=False, emoji=False)
        self.is_terminal = self._console.is_terminal

    @classmethod
    def errors(cls) -> Screen:
        """Standard error: notes beside the output."""
        return cls(sys.stderr)

    def line(self, *parts: Part) -> None:
        """One line, whatever the parts hold."""
        self._write([(one_line(text), style) for text, style in map(_styled, parts)], "\n")

    def text(self, text: str, style: str = "", end: str = "\n") -> None:
        """Text of any number of lines."""
        self._write([(neutral(text), style)], end)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns. Off a terminal all of them, in full, with `-` for what is empty.

        Columns that a terminal has no room for are named on a second line of each row.
        """
        cells = [[one_line(cell) for cell in row] for row in rows]
        kept = list(range(len(columns)))
        moved: list[int] = []
        widths = [
            max([cell_len(column.header), *(cell_len(row[at]) for row in cells)]) for at, column in enumerate(columns)
        ]
        if self.is_terminal:
            kept = [at for at in kept if at == 0 or any(row[at] for row in cells)]
            wanted, kept = kept, _fitting(columns, widths, kept, self._console.width)
            moved = [at for at in wanted if at not in kept]
        else:
            cells = [[cell or "-" for cell in row] for row in cells]
        headers = [_aligned(columns[at].header, widths[at], columns[at]) for at in kept]
        self._write([(_GAP.join(headers).rstrip(), "bold")], "\n")
        for row in cells:
            self._write([(_GAP.join(_aligned(row[at], widths[at], columns[at]) for at in kept).rstrip(), "")], "\n")
            facts = " · ".join(f"{columns[at].header} {row[at]}" for at in moved if row[at])
            if facts:
                self._write([(f"{_GAP}{facts}", "dim")], "\n")

    def flush(self) -> None:
        """Show what was written so far."""
        self._file.flush()

    def _write(self, parts: list[tuple[str, str]], end: str) -> None:
        if self.is_terminal:
            self._console.print(Text.assemble(*parts), end=end, soft_wrap=True)
        else:
            self._file.write("".join(text for text, _ in parts) + end)


def _styled(part: Part) -> tuple[str, str]:
    return (part, "") if isinstance(part, str) else part


def _fitting(columns: Sequence[Column], widths: list[int], kept: list[int], width: int) -> list[int]:
    """The columns that a terminal has room for; `widths` of flexible ones are cut to what is left."""
    kept = list(kept)

    def needed() -> int:
        least = (min(widths[at], _LEAST) if columns[at].flexible else widths[at] for at in kept)
        return sum(least) + len(_GAP) * (len(kept) - 1)

    while needed() > width and (dropped := max(kept, key=lambda at: columns[at].rank)) and columns[dropped].rank:
        kept.remove(dropped)
    spare = width - needed()
    for at in kept:
        if columns[at].flexible:
            least = min(widths[at], _LEAST)
            given = max(min(widths[at] - least, spare), 1 - least)
            widths[at] = least + given
            spare -= given
    return kept


def _aligned(cell: str, width: int, column: Column) -> str:
    if cell_len(cell) > width:
        cell = set_cell_size(cell, width - 1).rstrip() + "…"  # half of a wide character leaves a blank
    padding = " " * (width - cell_len(cell))
    return padding + cell if column.right else cell + padding


def when(moment: datetime) -> str:
    """A time in UTC, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%MZ")


def money(dollars: Decimal | None) -> str:
    """An amount, or nothing for nothing."""
    return f"${amount(dollars)}" if dollars else ""


def counted(number: int, noun: str) -> str:
    """`1 message`, `2,000 messages`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sized(size: int) -> str:
    """Bytes for people."""
    amount, units = float(size), iter(("bytes", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while amount >= 1024 and unit != "TiB":
        amount, unit = amount / 1024, next(units)
    return f"{size:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"
