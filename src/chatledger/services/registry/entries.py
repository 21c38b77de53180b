"""What projects and models have in common: rows of names, made on first use and archived rather than deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, select, update

from chatledger.dialects.types import Identifier
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import flags, identifier
from chatledger.schemas.session import KEEP
from chatledger.services.base import ServiceContext
from chatledger.services.pagination import NOT_A_CURSOR, decode_cursor, encode_cursor, limited

Visible = ColumnElement[bool] | None
"""Of the names a list holds, which are shown."""


def key_of(table: Table) -> Any:
    """The column of the name."""
    return next(iter(table.primary_key.columns))


def require_whole(context: ServiceContext, field: str) -> None:
    """Refuse to change what all users share through a ledger that is limited to one.

    Raises:
        InvalidInput
    """
    if context.owner is not None:
        raise InvalidInput(field, "is shared by all users, and this ledger is limited to one")


def row_of(context: ServiceContext, table: Table, name: str, visible: Visible = None) -> dict[str, Any] | None:
    """One row, or None."""
    column = key_of(table)
    statement = select(table).where(column == identifier(name, column.name))
    if visible is not None:
        statement = statement.where(visible)
    found = context.execute(statement).one_or_none()
    return None if found is None else _plain(found)


def rows_of(
    context: ServiceContext, table: Table, *, archived: bool | None, limit: int, cursor: str | None, visible: Visible
) -> tuple[list[dict[str, Any]], str | None]:
    """Rows by name, and the cursor of the next."""
    limit, column = limited(limit), key_of(table)
    statement = select(table).order_by(column).limit(limit + 1)
    if archived is not None:
        flags(archived=archived)
        statement = statement.where(table.c.archived_at.is_not(None) if archived else table.c.archived_at.is_(None))
    if visible is not None:
        statement = statement.where(visible)
    if cursor is not None:
        try:
            last = identifier(decode_cursor(table.name, cursor, str)[0], "cursor")
        except InvalidInput:
            raise InvalidInput("cursor", NOT_A_CURSOR) from None
        statement = statement.where(column > bindparam("last", last, type_=Identifier()))
    rows = [_plain(row) for row in context.execute(statement)]
    items = rows[:limit]
    return items, encode_cursor(table.name, items[-1][column.name]) if len(rows) > limit else None


def add(context: ServiceContext, table: Table, name: str, values: Mapping[str, Any]) -> bool:
    """Insert a row; False where the name is taken."""
    column = key_of(table)
    statement = (
        context.dialect.insert(table)
        .values({column.name: name, "created_at": context.now(), **values})
        .on_conflict_do_nothing(index_elements=[column])
        .returning(column)
    )
    return context.execute(statement).scalar_one_or_none() is not None


def change(context: ServiceContext, table: Table, name: str, values: Mapping[str, Any]) -> None:
    """Write values into a row that is there."""
    if values:
        context.execute(update(table).where(key_of(table) == name).values(dict(values)))


def archive(context: ServiceContext, table: Table, name: str, at: datetime | None) -> None:
    """Archive a row, or bring it back. One that is archived keeps since when."""
    statement = update(table).where(key_of(table) == name)
    if at is not None:
        statement = statement.where(table.c.archived_at.is_(None))
    context.execute(statement.values(archived_at=at))


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of several arguments."""
    return {name: value for name, value in fields.items() if value is not KEEP}


def _plain(row: Any) -> dict[str, Any]:
    values = dict(row._mapping)
    values["metadata"] = values["metadata"] or {}
    return values
