"""The vocabulary of columns: one alias for each kind of value, so that a model reads like a table."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Table, Text, event, text
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry, relationship
from sqlalchemy.types import TypeEngine

from chatledger import enums
from chatledger.dialects import types
from chatledger.dialects.base import TABLE_PREFIX
from chatledger.models.ddl_events import LedgerMetaData, refuse_creation

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint is named by convention, so that both databases and our errors speak the same names."""

Key = Annotated[str, mapped_column(types.Identifier)]
PrimaryKey = Annotated[str, mapped_column(types.Identifier, primary_key=True)]
"""A text key, alone or beside others."""
Number = Annotated[int, mapped_column(types.Whole, primary_key=True, autoincrement=False)]
"""A number that is part of a primary key, counted within what the rest of the key names."""
Whole = Annotated[int, mapped_column(types.Whole)]
Real = Annotated[float, mapped_column(types.Real)]
Counter = Annotated[int, mapped_column(types.Whole, server_default=text("0"))]
Timestamp = Annotated[datetime, mapped_column(types.Timestamp)]
Stamped = Annotated[datetime, mapped_column(types.Timestamp, server_default=FetchedValue())]
"""A time that the database fills in where raw SQL leaves it out; services always give one."""
Money = Annotated[Decimal, mapped_column(types.Money)]
MoneyTotal = Annotated[Decimal, mapped_column(types.Money, server_default=text("0"))]
Flag = Annotated[bool, mapped_column(types.Flag)]
"""Stored as 1, or NULL for false."""
Json = Annotated[Any, mapped_column(types.Document)]
Blob = Annotated[bytes, mapped_column(types.Binary)]

# A StrEnum is stored as its value.
_WORDS: dict[type, TypeEngine[Any]] = {
    words: types.Word(words)
    for words in (
        enums.Role, enums.Outcome, enums.Status, enums.SnapshotKind, enums.Scope, enums.StateScope,
        enums.BatchStatus, enums.ItemStatus, enums.ComparisonKind, enums.JudgeKind,
        enums.ExecutionState, enums.StepState,
    )
}  # fmt: skip

SessionKey = Annotated[
    str,
    mapped_column(types.Identifier, ForeignKey("chatledger_sessions.session_id", ondelete="CASCADE"), primary_key=True),
]
"""The key of a session, in a table whose rows live and die with it."""


class Base(DeclarativeBase):
    """The root of the declared tables.

    `Table.info["distribution"]` says how a table is spread when there is more than one machine: `session` (by
    `session_id`), `reference` (a copy everywhere) or `root` (on its own key).
    """

    metadata = LedgerMetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text(), **_WORDS}  # noqa: RUF012 - read by SQLAlchemy at class creation

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__dict__.get("__table__")
        if isinstance(table, Table) and table.name.startswith(TABLE_PREFIX):
            event.listen(table, "before_create", refuse_creation, propagate=True)  # also to copies


@event.listens_for(Base.registry, "before_configured")
def _prepare_for_the_orm(_registry: registry) -> None:
    """Import every model, which relationships name, and what makes them writable, when the ORM is first used.

    Programs that only call services never configure a mapper, and do not pay for it.
    """
    from chatledger.models.writing import install  # noqa: PLC0415 - see above

    install()


def children(parent: str, **options: Any) -> Any:
    """The rows that live and die with this one. The database deletes them; loaded ones are deleted one by one."""
    options = {"cascade": "all, delete-orphan", "passive_deletes": True, **options}
    return relationship(back_populates=parent, lazy="raise", **options)


def parent(children: str, **options: Any) -> Any:
    """The row that this one belongs to."""
    return relationship(back_populates=children, lazy="raise", **options)


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements without the ORM."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def one_of(column: str, words: type[StrEnum], *reserved: str) -> CheckConstraint:
    """The named CHECK that closes a list of words. `reserved` words are admitted for a later release."""
    values = ", ".join(f"'{word}'" for word in (*words, *reserved))
    return CheckConstraint(f"{column} IN ({values})", name=column)
