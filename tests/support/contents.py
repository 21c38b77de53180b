"""All that a database holds, read by SQL and not by the ledger."""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import inspect

from tests.support.raw import Raw


def contents(raw: Raw) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table, full text included, in an order of its own: equal when the databases are."""
    return {
        table: sorted(tuple(_shown(value) for value in row) for row in raw(f'SELECT * FROM "{table}"'))
        for table in inspect(raw.engine).get_table_names()
    }


def places_of(raw: Raw, words: list[str]) -> list[tuple[str, str]]:
    """The tables in which words stand, in text, JSON, bytes, or in what bytes unpack to."""
    found = set()
    for table, rows in contents(raw).items():
        for row in rows:
            found |= {(table, word) for word in words for value in row if word.lower() in value.lower()}
    return sorted(found)


def _shown(value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return str(value)
    stored = bytes(value)
    try:
        return zlib.decompress(stored).decode()
    except (zlib.error, ValueError):
        # The full-text index holds words in bytes.
        return stored.decode("latin-1")
