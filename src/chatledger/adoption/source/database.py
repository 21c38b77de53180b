"""An older database as its readers see it: tables, rows, and what became of each row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

from chatledger.adoption.source.json_values import NotJson, read_json
from chatledger.adoption.source.timestamps import rank
from chatledger.dialects.foreign_file import ForeignFile
from chatledger.errors import AdoptionFailed

Fate = Literal["copied", "kept", "already", "left_out", "derived"]
"""What became of a row: its content is in sessions and messages; it is kept beside them as metadata or payload; it was
adopted before; it is named in the report and nothing else; it only repeats other rows.
"""

# Fates that are noted at a time.
_BATCH = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a foreign table. A column that is not there is NULL: layouts grew."""

    table: str
    rowid: int
    values: dict[str, Any]
    key: str
    """Its primary key as text. A VACUUM may give rows new numbers, unless a column of theirs is the number."""

    def __getitem__(self, column: str) -> Any:
        return self.values.get(column)


class Source:
    """A foreign file with its tables, under one snapshot."""

    def __init__(self, file: ForeignFile, zone: tzinfo) -> None:
        self.file, self.zone = file, zone
        self._connection = file.connection
        self._connection.create_function("moment", 1, lambda value: rank(value, zone), deterministic=True)
        self._connection.create_function("json_key", 2, _json_key, deterministic=True)
        self._connection.create_aggregate("exact_sum", 1, _ExactSum)
        self.virtual = frozenset(
            name for name, sql in self._named("table") if (sql or "").upper().startswith("CREATE VIRTUAL")
        )
        # Columns of each ordinary table.
        self.tables: dict[str, tuple[str, ...]] = {}
        # What is read of a row, in SQL.
        self._wanted: dict[str, str] = {}
        # Columns of the primary key, where it is not the number of the row.
        self._primary: dict[str, tuple[str, ...]] = {}
        # Names that stand for the number of a row, where no column has taken them.
        self._rowid: dict[str, str] = {}
        for name, _ in self._named("table"):
            if not name.lower().startswith("sqlite_") and name not in self.virtual and not self._is_shadow(name):
                self._take_table(name)
        self._fates: list[tuple[int, int, str]] = []
        self._numbers: dict[str, int] = {}
        self._keys: set[tuple[str, str]] = set()
        self.forget()

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is a table with these columns."""
        return table in self.tables and set(columns) <= set(self.tables[table])

    def count(self, table: str, where: str = "1", parameters: Sequence[Any] = ()) -> int:
        return int(self.one(f"SELECT count(*) FROM {quoted(table)} WHERE {where}", parameters)[0])

    def one(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        return self._connection.execute(sql, parameters).fetchone()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """Rows of any SELECT, as they come."""
        return iter(self._connection.execute(sql, parameters))

    def rows(self, table: str, where: str = "1", parameters: Sequence[Any] = (), order: str = "r") -> Iterator[Row]:
        """Rows of a table, as they come. In `where` and `order` the table is `t`, and `r` is the number of a row."""
        yield from self._rows(table, f"FROM {quoted(table)} AS t WHERE {where}", parameters, order)

    def index(self, table: str, key: str) -> None:
        """Make ready to find rows by an expression over their columns; the index lies in the private folder."""
        if (table, key) in self._keys:
            return
        self._keys.add((table, key))
        name = self._index_name(table, key)
        rowid = self._rowid[table]
        self._connection.execute(f"CREATE TEMP TABLE {name} (k, r INTEGER)")
        self._connection.execute(f"INSERT INTO {name} SELECT {key}, t.{rowid} FROM {quoted(table)} AS t ORDER BY 1, 2")
        self._connection.execute(f"CREATE INDEX {name}_k ON {name.removeprefix('temp.')} (k, r)")

    def found(self, table: str, key: str, value: Any, order: str = "r") -> Iterator[Row]:
        """Rows of a table that was made ready, by the value of the expression."""
        if table in self.tables:
            name = self._index_name(table, key)
            source = f"FROM {name} AS i CROSS JOIN {quoted(table)} AS t ON t.{self._rowid[table]} = i.r WHERE i.k IS ?"
            yield from self._rows(table, source, (value,), order)

    def keys(self, table: str, key: str) -> Iterator[Any]:
        """Each value of the expression once, in order."""
        return (row[0] for row in self.query(f"SELECT DISTINCT k FROM {self._index_name(table, key)} ORDER BY k"))

    def settle(self, row: Row, fate: Fate, *, shared: bool = False) -> None:
        """Note what became of a row. Each has one fate; a shared row is met more than once and keeps its first."""
        self._fates.append((self._number(row.table), row.rowid, f"{fate}+" if shared else fate))
        if len(self._fates) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write down the fates that wait. Only the last is held back: a statement is one fate's."""
        alone = [fate for fate in self._fates if not fate[2].endswith("+")]
        shared = [(table, row, fate[:-1]) for table, row, fate in self._fates if fate.endswith("+")]
        self._fates.clear()
        try:
            self._connection.executemany("INSERT INTO temp.fates VALUES (?, ?, ?)", alone)
        except sqlite3.IntegrityError:
            raise AdoptionFailed("a row of the source was taken twice: nothing was written") from None
        self._connection.executemany("INSERT OR IGNORE INTO temp.fates VALUES (?, ?, ?)", shared)

    def forget(self) -> None:
        """Clear the notes on rows."""
        self._fates.clear()
        self._connection.execute("DROP TABLE IF EXISTS temp.fates")
        self._connection.execute(
            "CREATE TEMP TABLE fates (t INTEGER, r INTEGER, fate TEXT NOT NULL, PRIMARY KEY (t, r)) WITHOUT ROWID"
        )

    def unsettled(self, table: str) -> Iterator[Row]:
        """Rows whose fate is not noted yet."""
        self.flush()
        done = f"SELECT 1 FROM temp.fates AS f WHERE f.t = {self._number(table)} AND f.r = t.{self._rowid[table]}"
        return self.rows(table, f"NOT EXISTS ({done})")

    def fates(self, table: str) -> dict[str, int]:
        """How many rows met which fate."""
        self.flush()
        found = self.query("SELECT fate, count(*) FROM temp.fates WHERE t = ? GROUP BY fate", (self._number(table),))
        return {str(fate): int(count) for fate, count in found}

    def rowids(self, table: str, fate: Fate) -> Iterator[int]:
        """The numbers of the rows that met a fate, in order."""
        sql = "SELECT r FROM temp.fates WHERE t = ? AND fate = ? ORDER BY r"
        return (int(row[0]) for row in self.query(sql, (self._number(table), fate)))

    def rowid_of(self, table: str) -> str:
        """What stands for the number of a row in SQL."""
        return self._rowid[table]

    def _named(self, kind: str) -> list[tuple[str, str | None]]:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = ? ORDER BY name"
        return [(str(name), text) for name, text in self._connection.execute(sql, (kind,))]

    def _is_shadow(self, name: str) -> bool:
        """Whether a table is a full-text table's own, such as `messages_fts_data`."""
        return any(name.startswith(f"{virtual}_") for virtual in self.virtual)

    def _take_table(self, name: str) -> None:
        # 1 is hidden; 2 and 3 are generated and only repeat other columns.
        found = self._connection.execute(f"PRAGMA table_xinfo({quoted(name)})").fetchall()
        columns = tuple(str(column[1]) for column in found if column[6] == 0)
        taken = {column.lower() for column in columns}
        rowid = next((word for word in ("rowid", "_rowid_", "oid") if word not in taken), None)
        try:
            self._connection.execute(f"SELECT {rowid} FROM {quoted(name)} LIMIT 0")
        except sqlite3.OperationalError:
            return  # made WITHOUT ROWID, which none of the layouts is
        if rowid is not None:
            self.tables[name], self._rowid[name] = columns, rowid
            self._wanted[name] = ", ".join([f"t.{rowid} AS r", *(f"t.{quoted(column)}" for column in columns)])
            key = sorted((column[5], str(column[1]), str(column[2])) for column in found if column[5])
            if len(key) > 1 or (key and key[0][2].upper() != "INTEGER"):
                self._primary[name] = tuple(column for _, column, _ in key)

    def _rows(self, table: str, source: str, parameters: Sequence[Any], order: str) -> Iterator[Row]:
        columns = self.tables[table]
        sql = f"SELECT {self._wanted[table]} {source} ORDER BY {order}"
        primary = self._primary.get(table)
        for rowid, *given in self._connection.execute(sql, parameters):
            values = dict(zip(columns, given, strict=True))
            key = str(rowid) if primary is None else "/".join(str(values[column]) for column in primary)
            yield Row(table, rowid, values, key)

    def _number(self, table: str) -> int:
        return self._numbers.setdefault(table, len(self._numbers))

    def _index_name(self, table: str, key: str) -> str:
        return f"temp.by_{self._number(table)}_{self._number(f'key {key}')}"


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


class _ExactSum:
    """The SQL function `exact_sum`. SQLite's own `sum` fails where whole numbers add up to more than 64 bits.

    Its result is read by `sum_of`: a sum that no column can hold is its digits.
    """

    def __init__(self) -> None:
        self._whole, self._real, self._any_real = 0, 0.0, False

    def step(self, value: Any, /) -> None:
        """Add a number. Text and bytes count as nothing."""
        if isinstance(value, int):
            self._whole += value
        elif isinstance(value, float):
            self._real += value
            self._any_real = True

    def finalize(self) -> Any:
        if self._any_real:
            return self._real + self._whole
        return self._whole if -(2**63) <= self._whole < 2**63 else str(self._whole)


def sum_of(found: Any) -> int | float:
    """A result of `exact_sum` as a number; that of no rows is 0."""
    if isinstance(found, str):
        return int(found)
    return found if isinstance(found, int | float) else 0


def _json_key(text: Any, key: Any) -> Any:
    """One field of a JSON object, where it is one and the field is text or a number."""
    try:
        value = read_json(text)
    except NotJson:
        return None
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str | int | float) else None
