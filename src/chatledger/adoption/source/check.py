"""What is looked at in every source, whatever its layout."""

from __future__ import annotations

import re
import sqlite3

from chatledger.adoption.findings import Notes
from chatledger.adoption.source.database import Source, quoted
from chatledger.adoption.source.reader import Reader
from chatledger.dialects.foreign_file import ForeignFile
from chatledger.errors import CorruptDatabase

# Lines of `integrity_check` about rows that break a constraint, which can be read all the same.
_HARMLESS = re.compile(r"(NULL|NUMERIC|TEXT|non-\w+) value in |CHECK constraint failed|non-unique entry in")
# Lines about a full-text table, which is not read.
_SEARCH = re.compile(r"inverted index|fts[345]", re.IGNORECASE)


def require_sound(source: Source, notes: Notes) -> None:
    """SQLite's own check of every page.

    Raises:
        CorruptDatabase: the file is damaged.
    """
    for (line,) in source.query("PRAGMA integrity_check(100)"):
        if line == "ok":
            continue
        if _SEARCH.search(line):
            notes.add("search_index_broken", "", _without_values(line))
        elif _HARMLESS.match(line):
            notes.add("constraint_broken", "", _without_values(line))
        else:
            raise CorruptDatabase(
                f"{source.file.name} is damaged and was not touched: adopt a backup, or what `.recover` saves"
            )


def survey(source: Source, reader: Reader, notes: Notes) -> None:
    """Foreign keys, what only the `-wal` holds, search tables that cannot be read, tables of somebody else."""
    _survey_foreign_keys(source, notes)
    _survey_wal(source, source.file, notes)
    for table in sorted(source.virtual):
        try:
            source.one(f"SELECT * FROM {quoted(table)} LIMIT 1")
        except sqlite3.Error:
            notes.add("search_index_broken", table, table)
    known = set(reader.tables())
    for table in sorted(source.tables.keys() - known):
        if count := source.count(table):
            notes.add("table_left_out", table, table, count=count)
    for table in reader.derived():
        if table in source.tables and (count := source.count(table)):
            notes.add("derived_rows", table, table, count=count)


def _survey_foreign_keys(source: Source, notes: Notes) -> None:
    for table in sorted(source.tables):
        try:
            for _, rowid, parent, _ in source.query(f"PRAGMA foreign_key_check({quoted(table)})"):
                notes.add("foreign_key_broken", table, {"rowid": rowid, "refers_to": parent})
        except sqlite3.OperationalError:  # a key to columns that no key of the other table covers
            notes.add("foreign_key_broken", table, {"refers_to": "columns that are no key"})


def _survey_wal(source: Source, file: ForeignFile, notes: Notes) -> None:
    """Rows that the main file alone does not have."""
    if file.settled is None:
        return
    for table in source.tables:
        rowid = source.rowid_of(table)
        try:
            there = _settled_rows(file, table, rowid)
        except sqlite3.Error:
            there = 0  # the main file alone has no such table, or cannot be read
        new = source.count(table) - there
        if new > 0:
            newest = f"SELECT {rowid} FROM {quoted(table)} ORDER BY {rowid} DESC LIMIT {min(new, 1000)}"
            keys = sorted(int(row[0]) for row in source.query(newest))
            for place, key in enumerate(keys):
                notes.add("only_in_wal", table, key, count=1 if place else 1 + new - len(keys))


def _settled_rows(file: ForeignFile, table: str, rowid: str) -> int:
    assert file.settled is not None
    connection = sqlite3.connect(file.settled, uri=True)
    try:
        return int(connection.execute(f"SELECT count({rowid}) FROM {quoted(table)}").fetchone()[0])
    finally:
        connection.close()


def _without_values(line: str) -> str:
    return line[:200]
