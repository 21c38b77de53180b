"""Tables of SQLAlchemy Core that are built when they are first asked for, and have no mapped class behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

from sqlalchemy import Column, FetchedValue, MetaData, Table

from chatledger.dialects.base import TABLE_PREFIX

Described = Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]]
"""By the name of a table without its prefix: the columns of its key, and the type of each column."""

# Of their own: whoever takes the metadata of the models creates, migrates and copies those.
_METADATA = MetaData()
_lock = RLock()  # the modules of two services may be imported by two threads


def lazy_tables(module: str, described: Described) -> Callable[[str], Table]:
    """The `__getattr__` of a module that holds these tables."""

    def find(name: str) -> Table:
        if name not in described:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        full_name = TABLE_PREFIX + name
        with _lock:
            if full_name not in _METADATA.tables:
                key, columns = described[name]
                # An insert may leave out a part of a key: the database fills it in, or refuses the row.
                keys = (Column(column, columns[column], FetchedValue(), primary_key=True) for column in key)
                others = (Column(column, kind) for column, kind in columns.items() if column not in key)
                Table(full_name, _METADATA, *keys, *others)
            return _METADATA.tables[full_name]

    return find
