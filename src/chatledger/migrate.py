"""Migrations: upgrade, downgrade, compare with a freshly migrated database, and live beside an application's Alembic."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection

from chatledger.dialects.base import TABLE_PREFIX, Dialect
from chatledger.dialects.integrity import Definition
from chatledger.revisions import (
    HEAD,
    REVISIONS,
    current,
    downgrade,
    install,
    require_head,
    script,
    stamp,
    uninstall,
    upgrade,
    upgrade_on,
)

__all__ = [
    "HEAD",
    "REVISIONS",
    "Expected",
    "current",
    "differences",
    "downgrade",
    "expected",
    "include_object",
    "install",
    "require_head",
    "script",
    "stamp",
    "uninstall",
    "upgrade",
]


class Expected(NamedTuple):
    """What a freshly migrated database is made of."""

    fingerprint: dict[str, str]
    definitions: dict[str, Definition]
    """The statements behind it, under the same names, where something can be recreated."""


# By database and version: migrating takes most of the time of a check, and gives the same each time.
_expected: dict[tuple[str, tuple[int | str, ...]], Expected] = {}


def expected(connection: Connection, dialect: Dialect) -> Expected:
    """Migrate from nothing beside the ledger, look at what that makes, and throw it away. Once in a process."""
    key = dialect.title, tuple(connection.dialect.server_version_info or ())
    if key not in _expected:
        with dialect.scratch(connection) as scratch:
            upgrade_on(scratch)
            fingerprint = dialect.fingerprint(scratch, _names())
            _expected[key] = Expected(fingerprint, dialect.integrity.definitions(scratch, _names()))
    return _expected[key]


def differences(connection: Connection, dialect: Dialect, wanted: Expected) -> list[str]:
    """What differs between the database and a freshly migrated one, a line each; empty when nothing does.

    Columns, constraints, indexes, triggers, functions, views and full text are compared. Foreign tables are left alone.
    """
    actual, fresh = dialect.fingerprint(connection, _names()), wanted.fingerprint
    found = [f"missing: {name}" for name in fresh if name not in actual]
    found += [f"changed: {name}" for name in fresh if name in actual and actual[name] != fresh[name]]
    # An index that somebody added is theirs to keep; a trigger on our tables may undo what we promise.
    found += [f"unknown: {name}" for name in actual if name not in fresh and not name.startswith("index")]
    return sorted(found)


def include_object(thing: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """For an application's own `env.py`: keeps its autogenerate from creating, changing or dropping our tables.

        context.configure(…, include_object=chatledger.migrate.include_object)

    Tables whose names begin with `chatledger_` are passed over, with their columns, indexes and constraints. A table
    with such a name that the application itself declares is compared, unless it is one of ours.
    """
    table = name if type_ == "table" else getattr(getattr(thing, "table", None), "name", None)
    if table is None or not table.startswith(TABLE_PREFIX):
        return True
    declared = not reflected or compare_to is not None
    return declared and table not in _names()


def _names() -> frozenset[str]:
    """Tables and views."""
    from chatledger.models import Base  # noqa: PLC0415 - all the tables, which an opening of a ledger at head needs not
    from chatledger.models.usage import VIEWS  # noqa: PLC0415 - likewise

    return VIEWS.union(name for name in Base.metadata.tables if name.startswith(TABLE_PREFIX))
