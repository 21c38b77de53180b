"""Tables as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

from chatledger.exchange.writers.columns import Column, Kind

# What a spreadsheet takes for the beginning of a formula, or drops to find one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(out: TextIO, columns: tuple[Column, ...], rows: Iterator[list[Any]], *, guard: bool) -> None:
    """A header, and a line for each row, as RFC 4180 has them: lines end with CR LF, a cell with a break is quoted."""
    first = next(rows, None)  # nothing is written when the rows are refused
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    texts = [column.kind in (Kind.TEXT, Kind.JSON) for column in columns]
    if first is None:
        return
    writer.writerow(_cells(first, texts, guard))
    writer.writerows(_cells(row, texts, guard) for row in rows)


def _cells(row: list[Any], texts: list[bool], guard: bool) -> list[Any]:
    return [
        _guarded(value) if guard and text and value is not None else _plain(value)
        for value, text in zip(row, texts, strict=True)
    ]


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) else value
