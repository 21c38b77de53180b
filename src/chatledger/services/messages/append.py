"""The statements of appending, and why one was refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Text, bindparam, case, func, or_, select, text, type_coerce
from sqlalchemy.sql import Select

from chatledger.dialects.base import Dialect
from chatledger.dialects.types import Identifier, Whole, dollars, to_moment, wire
from chatledger.enums import OPEN, Status
from chatledger.errors import CorruptDatabase, KeyReused, SequenceConflict, SessionClosed, SessionNotFound
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.costs import DETAILS, is_countable
from chatledger.schemas.digest import message_digest
from chatledger.schemas.stored_message import to_row
from chatledger.services.base import Operation, ServiceContext, logger
from chatledger.services.prepared import Prepared
from chatledger.services.registry.pricing import (
    cost_expression,
    may_lack_prices,
    no_prices,
    note_prices,
    price_columns,
    priced_source,
)
from chatledger.services.registry.registration import is_registered, register_models
from chatledger.services.rows import MESSAGE, from_row, messages, sessions, to_messages
from chatledger.services.visibility import in_visible_session, this_session, visibility_parameters, visible_to_owner

GIVEN = (
    "role", "content", "payload", "metadata", "name", "tool_call_id", "model_id", "input_tokens", "output_tokens",
    "cached_tokens", "reasoning_tokens", "tokens_used", "duration_ms", "cost", "outcome", "hidden", "key", "created_at",
    "digest", "search_text", "search_extra",
)  # fmt: skip
"""Columns of an append beside the session and the number."""

_EXPECTED = bindparam("expected", type_=Whole)
# Spelled out: an IN of bound values is expanded again at every call.
_IS_OPEN = text(f"chatledger_sessions.status IN ({', '.join(repr(status.value) for status in OPEN)})")


@cache
def append_statement(
    dialect: Dialect, *, keyed: bool, priced: bool, detailed: bool, unless_priced: bool = False
) -> Prepared:
    """One append: read the session's last number under its lock, insert the next, give it back. `priced`: with its
    cost, calculated from the price in force, and which price that is. `detailed`: with the columns of `DETAILS`, which
    few messages have. `unless_priced`: only if there are no prices at all, so that there is no cost.

    The lock is FOR NO KEY UPDATE, which does not stand in the way of foreign keys to the session. No row comes back
    when the session is not there, is closed, is elsewhere in its count, or has the key already.
    """
    given_names = (*GIVEN, *DETAILS) if detailed else GIVEN
    # Words come as their values already.
    types = {name: Text() if name in ("role", "outcome") else wire(messages.c[name].type) for name in given_names}
    values: dict[str, Any] = {name: bindparam(name, type_=kind) for name, kind in types.items()}
    tables: Any = sessions
    found: list[Any] = []
    if priced:
        # The name is a text on the wire; the other side says how it compares.
        model = func.coalesce(values["model_id"], sessions.c.model_id, type_=Identifier())
        service_tier = values["service_tier"] if detailed else None
        tables = priced_source(model, values["created_at"], values["input_tokens"], service_tier)
        found = price_columns(service_tier)
        del values["cost"]  # it has none of its own
    given = [value.label(name) for name, value in values.items()] if priced else values.values()
    source: Any = (
        select(sessions.c.session_id, (sessions.c.last_sequence + 1).label("number"), *given, *found)
        .select_from(tables)
        .where(this_session(), _IS_OPEN, or_(_EXPECTED.is_(None), sessions.c.last_sequence + 1 == _EXPECTED))
        .with_for_update(key_share=True, of=sessions)
    )
    if unless_priced:
        source = source.where(no_prices())
    columns = ["session_id", "sequence_number", *values]
    if priced:
        # Of what was read and bound once, in a subquery of its own.
        row = source.subquery("given").c
        inner = select(*row, cost_expression(row, detailed=detailed).label("counted")).subquery("counted").c
        since, name = (case((inner.counted.is_not(None), inner[part])) for part in ("price_from", "priced_as"))
        # A condition, or ON CONFLICT behind it would be read as one of a join.
        kept = (inner[part] for part in values)
        source = select(inner.session_id, inner.number, *kept, inner.counted, since, name).where(text("1 = 1"))
        columns += ["cost", "priced_from", "priced_as"]
    statement = dialect.insert(messages).from_select(columns, source, include_defaults=False)
    if keyed:
        statement = statement.on_conflict_do_nothing(
            index_elements=[messages.c.session_id, messages.c.key], index_where=messages.c.key.is_not(None)
        )
    returned: list[Any] = [messages.c.sequence_number]
    if priced:
        returned += [type_coerce(messages.c.cost, Whole), messages.c.priced_from, messages.c.priced_as]
    return Prepared(statement.returning(*returned))


_STATUSES = frozenset(status.value for status in Status)

# The session under its lock, for many appends at once.
_OPEN_OR_NOT: Select[Any] = select(sessions.c.status, sessions.c.last_sequence).where(
    sessions.c.session_id == bindparam("session"), visible_to_owner()
)
_LOCKED = Prepared(_OPEN_OR_NOT.with_for_update(key_share=True))
_LOCKED_WHOLE = Prepared(_OPEN_OR_NOT.with_for_update())

_WITH_KEYS: Select[Any] = select(*MESSAGE, messages.c.digest).where(
    in_visible_session(), messages.c.key.in_(bindparam("keys", expanding=True))
)


@dataclass(frozen=True)
class Stored:
    """A message that has a key, and what tells whether another is the same."""

    message: Message
    digest: bytes
    new: bool = False
    """Still to be written, by the call that asks."""

    def same_as(self, row: dict[str, Any], *, timed: bool) -> bool:
        """Whether a message in stored form has the same content. A time that the caller did not give does not count."""
        return self.digest == message_digest(row, row["created_at"] if timed else self.message.created_at)

    def require_same(self, row: dict[str, Any], *, timed: bool) -> Message:
        """The stored message.

        Raises:
            KeyReused: its content is another.
        """
        if not self.same_as(row, timed=timed):
            raise KeyReused(self.message.session_id, row["key"], None if self.new else self.message.sequence_number)
        return self.message


class Append(Operation[Message]):
    """One valid message to append: encoded and digested, so that nothing is left to do under the session's lock.

    `keep` returns the message that has the key, whatever it says.
    """

    __slots__ = ("assumes_no_prices", "began", "detailed", "expected", "keep", "message", "priced", "row", "session_id")

    appends = 1

    def __init__(
        self, session_id: str, message: NewMessage, now: datetime, *, expected: int | None = None, keep: bool = False
    ) -> None:
        self.began = time.perf_counter()
        self.session_id, self.message, self.expected, self.keep = session_id, message, expected, keep
        self.row = row = to_row(message, now)
        self.priced = is_countable(row)
        self.assumes_no_prices = False
        self.detailed = any(row[name] is not None for name in DETAILS)

    @property
    def is_repeatable(self) -> bool:
        return self.message.key is not None

    def statement(self, context: ServiceContext) -> tuple[Prepared, dict[str, Any]] | None:
        model = self.message.model_id
        # A new name gets its row first: it says which model's prices apply.
        if model is not None and not is_registered(context.engine, model):
            return None
        self.assumes_no_prices = self.priced and may_lack_prices(context.engine)
        return self._statement(context, unless_priced=self.assumes_no_prices), self._parameters(context)

    def result(self, rows: Sequence[Sequence[Any]]) -> Message:
        number: int = rows[0][0]
        row = self.row
        if len(rows[0]) > 1 and rows[0][1] is not None:
            row.update(cost=dollars(rows[0][1]), priced_from=to_moment(rows[0][2]), priced_as=rows[0][3])
        if logger.isEnabledFor(logging.DEBUG):
            took = (time.perf_counter() - self.began) * 1000
            facts = {"session_id": self.session_id, "sequence_number": number, "duration_ms": took}
            logger.debug("message appended", extra=facts)
        return from_row(self.session_id, number, row)

    def perform(self, context: ServiceContext) -> Message:
        """Append the message.

        Raises:
            SessionNotFound, SessionClosed, SequenceConflict, KeyReused
        """
        message = self.message
        if message.model_id is not None:
            register_models(context, (message.model_id,))
        rows = context.rows(self._statement(context), self._parameters(context))
        if not rows:
            timed = message.created_at is not None
            return explain_refusal(context, self.session_id, self.row, self.expected, timed=timed, keep=self.keep)
        if self.assumes_no_prices:  # and there are some: nothing else was in the way
            note_prices(context.engine)
        context.appended += 1
        return self.result(rows)

    def _statement(self, context: ServiceContext, *, unless_priced: bool = False) -> Prepared:
        return append_statement(
            context.dialect,
            keyed=self.message.key is not None,
            priced=self.priced and not unless_priced,
            detailed=self.detailed,
            unless_priced=unless_priced,
        )

    def _parameters(self, context: ServiceContext) -> dict[str, Any]:
        row = self.row
        row["session"], row["owner"], row["expected"] = self.session_id, context.owner, self.expected
        return row


def lock_session(context: ServiceContext, session_id: str, *, deleting: bool = False) -> int:
    """Lock an open session until the transaction ends; its last number. `deleting` keeps its messages from being
    copied.

    Raises:
        SessionNotFound, SessionClosed
        CorruptDatabase: the stored status is none.
    """
    rows = context.rows(_LOCKED_WHOLE if deleting else _LOCKED, visibility_parameters(context, session_id))
    if not rows:
        raise SessionNotFound(session_id)
    status, last = rows[0]
    if status not in OPEN:
        if status not in _STATUSES:  # the row is read as it is stored
            raise CorruptDatabase("a stored status is damaged: run `chatledger db check`")
        raise SessionClosed(session_id, str(status))
    return int(last)


def with_keys(context: ServiceContext, session_id: str, keys: Sequence[str]) -> dict[str, Stored]:
    """The session's messages that have one of the keys."""
    found: dict[str, Stored] = {}
    for start in range(0, len(keys), 500):  # statements hold a bounded number of parameters
        rows = context.execute(
            _WITH_KEYS, {**visibility_parameters(context, session_id), "keys": list(keys[start : start + 500])}
        ).all()
        for row, message in zip(rows, to_messages([row[:-1] for row in rows]), strict=True):
            assert message.key is not None
            found[message.key] = Stored(message, row.digest)
    return found


def explain_refusal(
    context: ServiceContext,
    session_id: str,
    row: dict[str, Any],
    expected: int | None,
    *,
    timed: bool,
    keep: bool = False,
) -> Message:
    """After an append that wrote nothing: the message that the key stands for, or the error that says why.

    Raises:
        SessionNotFound, SessionClosed, SequenceConflict, KeyReused
    """
    if row["key"] is not None:
        stored = with_keys(context, session_id, [row["key"]]).get(row["key"])
        if stored is not None:
            return stored.message if keep else stored.require_same(row, timed=timed)
    last = lock_session(context, session_id)
    raise SequenceConflict(session_id, expected if expected is not None else last + 1, last)
