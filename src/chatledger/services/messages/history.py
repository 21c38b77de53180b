"""Reading a session's messages: one statement for each combination of bounds, and windows of whole turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam, select, text

from chatledger.callbacks import plain
from chatledger.dialects.constructs import json_text
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Outcome
from chatledger.errors import MessageNotFound
from chatledger.schemas import Message
from chatledger.schemas.fields import identifier, moment, whole
from chatledger.schemas.message_parts import ToolCall
from chatledger.schemas.turns import open_calls as unanswered
from chatledger.schemas.turns import stored_tokens, turn_starts
from chatledger.services.base import Operation, ServiceContext, logger
from chatledger.services.prepared import Prepared
from chatledger.services.rows import MESSAGE, messages, to_messages
from chatledger.services.visibility import in_visible_session, require_visible, visibility_parameters

# Messages that are read at a time where nobody knows how many are needed.
_BATCH = 100

Tokens = Callable[[Message], int]


@dataclass(frozen=True)
class Bounds:
    """Which messages of a session are wanted."""

    after: int | None = None
    before: int | None = None
    after_key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    finished: bool | None = None

    @classmethod
    def of(cls, **given: Any) -> Bounds:
        """Valid bounds.

        Raises:
            InvalidInput: naming the argument.
        """
        for field in ("after", "before"):
            if given.get(field) is not None:
                whole(given[field], field)
        if given.get("after_key") is not None:
            identifier(given["after_key"], "after_key")
        for field in ("since", "until"):
            if given.get(field) is not None:
                given[field] = moment(given[field], field)
        return cls(**given)

    @property
    def cut_the_beginning(self) -> bool:
        """Whether older messages may be left out."""
        return any(value is not None for value in (self.after, self.after_key, self.since))

    def parameters(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


class Read(Operation[list[Message]]):
    """Messages in the order of their numbers."""

    __slots__ = ("bounds", "last", "limit", "session_id")

    writes = False

    def __init__(self, session_id: str, bounds: Bounds, *, last: int | None = None, limit: int | None = None) -> None:
        self.session_id, self.bounds, self.last, self.limit = session_id, bounds, last, limit

    def statement(self, context: ServiceContext) -> tuple[Prepared, dict[str, Any]] | None:
        return _reading(context, self.session_id, self.bounds, last=self.last, limit=self.limit)

    def result(self, rows: Sequence[Sequence[Any]]) -> list[Message]:
        found = to_messages(rows)
        if self.last is not None:
            found.reverse()
        return found

    def perform(self, context: ServiceContext) -> list[Message]:
        """Read the messages.

        Raises:
            SessionNotFound, MessageNotFound
        """
        return self.result(_rows(context, self.session_id, self.bounds, last=self.last, limit=self.limit))


def payloads(
    context: ServiceContext, session_id: str, bounds: Bounds, *, last: int | None = None, limit: int | None = None
) -> list[Any]:
    """The payloads, in the order of the messages' numbers.

    Raises:
        SessionNotFound, MessageNotFound
    """
    rows = _rows(context, session_id, bounds, last=last, limit=limit, only="payload")
    found = [None if row[0] is None else from_json(row[0]) for row in rows]
    return found[::-1] if last is not None else found


def open_calls(context: ServiceContext, session_id: str) -> list[ToolCall]:
    """The tool calls of the newest turn that have no result.

    Raises:
        SessionNotFound
    """
    newest = _whole_turns(context, session_id, Bounds(), last=1, max_tokens=None, tokens=stored_tokens)
    return unanswered(newest)


def report_open_calls(context: ServiceContext, session_id: str) -> list[ToolCall]:
    """Log a warning if the session ends with tool calls that have no result: a model would refuse it. Return them."""
    if calls := open_calls(context, session_id):
        logger.warning("open tool calls", extra={"session_id": session_id, "tool_calls": [call.id for call in calls]})
    return calls


class ReadTurns(Operation[list[Message]]):
    """The newest whole turns that hold at most `last` messages, or else the newest turn, and at most so many tokens."""

    __slots__ = ("bounds", "last", "max_tokens", "session_id", "tokens")

    writes = False

    def __init__(
        self, session_id: str, bounds: Bounds, *, last: int | None, max_tokens: int | None, tokens: Tokens
    ) -> None:
        self.session_id, self.bounds, self.last = session_id, bounds, last
        self.max_tokens, self.tokens = max_tokens, tokens

    def perform(self, context: ServiceContext) -> list[Message]:
        """Read as many windows of messages as are needed.

        Raises:
            SessionNotFound, MessageNotFound
            InvalidInput: `tokens` does not return a whole number.
        """
        return _whole_turns(
            context, self.session_id, self.bounds, last=self.last, max_tokens=self.max_tokens, tokens=self.tokens
        )


def _whole_turns(
    context: ServiceContext,
    session_id: str,
    bounds: Bounds,
    *,
    last: int | None,
    max_tokens: int | None,
    tokens: Tokens,
) -> list[Message]:
    found: list[Message] = []  # newest first
    total, affordable = 0, 0  # the tokens of the newest messages, and how many of those stay within the limit
    size = _BATCH if last is None else last + 1  # one more, to see whether a turn begins there
    window = bounds
    while True:
        batch = to_messages(_rows(context, session_id, window, last=size))
        found += batch
        complete = len(batch) < size
        if max_tokens is None:
            affordable = len(found)
        while affordable < len(found) and max_tokens is not None:
            total += whole(plain(tokens(found[affordable]), "count_tokens"), "count_tokens")
            if total > max_tokens:
                complete = True  # older messages do not fit
                break
            affordable += 1
        starts = turn_starts(found, is_first=len(batch) < size, is_cut=bounds.cut_the_beginning)
        fitting = [start for start in starts if start <= affordable]
        chosen = max((start for start in fitting if last is None or start <= last), default=min(fitting, default=0))
        if complete or (chosen and last is not None and len(found) > last):
            return found[:chosen][::-1]
        window = Bounds(**{**vars(bounds), "before": found[-1].sequence_number})
        size = _BATCH


def _rows(
    context: ServiceContext,
    session_id: str,
    bounds: Bounds,
    *,
    last: int | None = None,
    limit: int | None = None,
    only: str | None = None,
) -> Sequence[Sequence[Any]]:
    statement, parameters = _reading(context, session_id, bounds, last=last, limit=limit, only=only)
    rows = context.rows(statement, parameters)
    if not rows:
        require_visible(context, session_id)
        if (
            bounds.after_key is not None
            and not context.execute(_KEY, {"session": session_id, "after_key": bounds.after_key}).all()
        ):
            raise MessageNotFound(session_id, key=bounds.after_key)
    return rows


def _reading(
    context: ServiceContext,
    session_id: str,
    bounds: Bounds,
    *,
    last: int | None,
    limit: int | None,
    only: str | None = None,
) -> tuple[Prepared, dict[str, Any]]:
    """The statement that reads messages within bounds, and its parameters."""
    given = bounds.parameters()
    names = tuple(given)
    given.pop("finished", None)
    count = last if last is not None else limit
    if count is not None:
        given["count"] = count
        names += ("count",)
    statement = _statement(has_owner=context.owner is not None, backwards=last is not None, bounds=names, only=only)
    return statement, {**given, **visibility_parameters(context, session_id)}


@cache
def _statement(*, has_owner: bool, backwards: bool, bounds: tuple[str, ...], only: str | None) -> Prepared:
    number = messages.c.sequence_number
    columns = MESSAGE if only is None else (json_text(messages.c[only]),)
    statement = select(*columns).where(
        in_visible_session() if has_owner else messages.c.session_id == bindparam("session", type_=Identifier())
    )
    if "after" in bounds:
        statement = statement.where(number > bindparam("after", type_=Whole))
    if "before" in bounds:
        statement = statement.where(number < bindparam("before", type_=Whole))
    if "since" in bounds:
        statement = statement.where(messages.c.created_at >= bindparam("since", type_=Timestamp()))
    if "until" in bounds:
        statement = statement.where(messages.c.created_at < bindparam("until", type_=Timestamp()))
    if "finished" in bounds:
        statement = statement.where(_IS_FINISHED)
    if "after_key" in bounds:
        statement = statement.where(number > _KEY.scalar_subquery())
    statement = statement.order_by(number.desc() if backwards else number)
    return Prepared(statement.limit(bindparam("count", type_=Whole)) if "count" in bounds else statement)


# Spelled out: a prepared statement binds only what differs from call to call.
_IS_FINISHED = text(
    f"(chatledger_messages.outcome IS NULL OR chatledger_messages.outcome = '{Outcome.COMPLETE.value}')"
)
_other = messages.alias("keyed")
_KEY = select(_other.c.sequence_number).where(
    _other.c.session_id == bindparam("session", type_=Identifier()),
    _other.c.key == bindparam("after_key", type_=Identifier()),
)
