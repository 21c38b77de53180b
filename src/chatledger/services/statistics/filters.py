"""Which messages statistics are about, and the conditions that say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias, TypedDict

from sqlalchemy import ColumnElement, FromClause, func, literal, type_coerce

from chatledger.dialects.constructs import read_before
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Role, RoleLike
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import flags, identifier, moment
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.visibility import require_visible


class By(StrEnum):
    """What statistics can be told apart by."""

    MODEL = "model"
    PROJECT = "project"
    USER = "user"
    SESSION = "session"
    ROLE = "role"


ByLike: TypeAlias = By | Literal["model", "project", "user", "session", "role"]


class FilterArguments(TypedDict, total=False):
    """The filters of every method but for the time. None: no filter."""

    user_id: str | None
    project_id: str | None
    model_id: str | None
    """A message's own model, else its session's."""
    session_id: str | None
    role: RoleLike | None
    include_copies: bool
    """Count the messages of forks, restored copies and imported branches that were copied from another session, too."""


class PeriodFilterArguments(FilterArguments, total=False):
    """The filters of every method. None: no filter."""

    since: datetime | None
    until: datetime | None
    """The first moment not wanted."""


@dataclass(frozen=True)
class MessageFilter:
    """The messages that statistics are about. None: no filter."""

    user_id: str | None = None
    project_id: str | None = None
    model_id: str | None = None
    session_id: str | None = None
    role: RoleLike | None = None
    since: datetime | None = None
    until: datetime | None = None
    include_copies: bool = False

    def checked(self, context: ServiceContext) -> MessageFilter:
        """Return the filter with values that a query can use.

        Raises:
            InvalidInput: a value is invalid, or `until` is before `since`.
            SessionNotFound: no such session, or it belongs to another user.
        """
        flags(include_copies=self.include_copies)
        ids = {
            name: identifier(value, name)
            for name in ("user_id", "project_id", "model_id", "session_id")
            if (value := getattr(self, name)) is not None
        }
        times = {name: moment(value, name) for name in ("since", "until") if (value := getattr(self, name)) is not None}
        if len(times) == 2 and times["until"] < times["since"]:
            raise InvalidInput("until", "is before `since`")
        role = None if self.role is None else _role(self.role)
        if "session_id" in ids:
            require_visible(context, ids["session_id"])
        return MessageFilter(role=role, include_copies=self.include_copies, **ids, **times)  # type: ignore[arg-type] # each under its own name

    def needs_sessions(self, context: ServiceContext, by: By | None) -> bool:
        """Whether the session has a say: in whose it is, its project, or the model of messages without one."""
        named = (self.user_id, self.project_id, self.model_id, context.owner)
        return any(value is not None for value in named) or by in (By.MODEL, By.PROJECT, By.USER)

    def source(self, context: ServiceContext, by: By | None, table: FromClause, *, sessions_first: bool) -> FromClause:
        """A table with session, role and model, joined with sessions where they have a say.

        `sessions_first`: session by session, each with its rows beside each other, which is quickest where most of the
        sessions have some. The database may think otherwise, and look for the session of every row.
        """
        if not self.needs_sessions(context, by):
            return table
        if sessions_first and self.session_id is None:
            return sessions.join(table, table.c.session_id == read_before(sessions.c.session_id))
        return table.join(sessions, sessions.c.session_id == table.c.session_id)

    def quarters_first(self, context: ServiceContext, by: By | None, table: FromClause) -> FromClause:
        """A table of usage, of which a time is read, joined with sessions where they have a say.

        SQLite would go through the sessions to have them in the order of their projects or users, and look for the few
        rows of each. That is right where the filter leaves few sessions, and not where it leaves all of them.
        """
        if not self.needs_sessions(context, by):
            return table
        if any(value is not None for value in (self.user_id, self.project_id, self.session_id, context.owner)):
            return self.source(context, by, table, sessions_first=False)
        return table.join(sessions, sessions.c.session_id == read_before(table.c.session_id))

    def conditions(self, context: ServiceContext, table: FromClause) -> list[ColumnElement[bool]]:
        """On rows of a table with session, role and model, joined with sessions where they are needed; not the times."""
        found: list[ColumnElement[bool]] = []
        if context.owner is not None:
            found.append(sessions.c.user_id == _id(context.owner))
        if self.user_id is not None:
            found.append(sessions.c.user_id == _id(self.user_id))
        if self.project_id is not None:
            found.append(sessions.c.project_id == _id(self.project_id))
        if self.model_id is not None:
            found.append(model_of(table) == _id(self.model_id))
        if self.session_id is not None:
            found.append(table.c.session_id == _id(self.session_id))
        if self.role is not None:
            found.append(type_coerce(table.c.role, Identifier) == _id(str(self.role)))
        if not self.include_copies:
            found.append(is_original(table))
        return found


def is_original(table: FromClause) -> ColumnElement[bool]:
    """A row of messages or of usage that is not a copy."""
    return table.c.copied == literal(0, Whole) if "copied" in table.c else table.c.copied_from.is_(None)


def times_of(message_filter: MessageFilter, table: FromClause) -> list[ColumnElement[bool]]:
    """The times, as conditions on messages."""
    found: list[ColumnElement[bool]] = []
    if message_filter.since is not None:
        found.append(table.c.created_at >= at(message_filter.since))
    if message_filter.until is not None:
        found.append(table.c.created_at < at(message_filter.until))
    return found


def key_of(table: FromClause, by: By) -> ColumnElement[Any]:
    """What a row of such a table is told apart by."""
    return {
        By.MODEL: model_of(table),
        By.PROJECT: sessions.c.project_id,
        By.USER: sessions.c.user_id,
        By.SESSION: table.c.session_id,
        By.ROLE: type_coerce(table.c.role, Identifier),
    }[by]


def by_of(given: ByLike | None, field: str) -> By | None:
    """What is told apart by, as users name it.

    Raises:
        InvalidInput: nothing that can be told apart by.
    """
    if given is None:
        return None
    try:
        return By(given)
    except ValueError:
        pass
    raise InvalidInput(field, f"is not one of {', '.join(repr(str(word)) for word in By)}")


def model_of(table: FromClause) -> ColumnElement[Any]:
    """A message's own model, else its session's."""
    return func.coalesce(func.nullif(table.c.model_id, "", type_=Identifier()), sessions.c.model_id, type_=Identifier())


def at(value: datetime) -> ColumnElement[Any]:
    """A moment to compare with."""
    return literal(value, Timestamp())


def _id(value: str) -> ColumnElement[Any]:
    return literal(value, Identifier())


def _role(given: RoleLike) -> Role:
    try:
        return Role(given)
    except ValueError:
        pass
    raise InvalidInput("role", f"is not one of {', '.join(repr(role.value) for role in Role)}")
