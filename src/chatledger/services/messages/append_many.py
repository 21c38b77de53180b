"""Many messages at once: one statement locks the session, one inserts them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from chatledger.errors import InvalidInput, SequenceConflict
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.costs import PriceList, is_countable
from chatledger.schemas.message import new_message, origin_of, price_of
from chatledger.schemas.stored_message import to_row
from chatledger.services.base import Operation, ServiceContext, logger
from chatledger.services.messages.append import Append, Stored, lock_session, with_keys
from chatledger.services.prepared import Prepared
from chatledger.services.registry.pricing import price_list
from chatledger.services.registry.registration import register_models
from chatledger.services.rows import from_rows
from chatledger.services.rows import messages as messages_table


def messages_of(given: Any, field: str) -> list[NewMessage]:
    """A list of messages to append.

    Raises:
        InvalidInput: not a list, or a message that is not valid; the field begins with its place in the list.
    """
    if not isinstance(given, Iterable):
        raise InvalidInput(field, f"must be a list of messages, not {type(given).__name__}")
    return [_at_place(field, place, message) for place, message in enumerate(given)]


class AppendMany(Operation[list[Message]]):
    """Valid messages to append to a session, all or none. A single one costs what `Append` does."""

    __slots__ = ("expected", "given", "keep", "only", "rows", "session_id")

    appends = 1

    def __init__(
        self,
        session_id: str,
        given: Sequence[NewMessage],
        now: datetime,
        *,
        expected: int | None = None,
        keep: bool = False,
        field: str = "messages",
    ) -> None:
        self.session_id, self.given, self.expected, self.keep = session_id, given, expected, keep
        self.only: Append | None = None
        self.rows: list[dict[str, Any]] = []
        place = 0
        try:
            if (
                len(given) == 1 and type(given[0]) is NewMessage
            ):  # a copy has columns that a plain append does not write
                self.only = Append(session_id, given[0], now, expected=expected, keep=keep)
                return
            for place, message in enumerate(given):  # noqa: B007 - the handler needs it
                self.rows.append(to_row(message, now))
            return
        except InvalidInput as error:
            wrong = _placed(field, place, error)
        raise wrong

    @property
    def is_repeatable(self) -> bool:
        return self.only is not None and self.only.is_repeatable

    def statement(self, context: ServiceContext) -> tuple[Prepared, dict[str, Any]] | None:
        return None if self.only is None else self.only.statement(context)

    def result(self, rows: Sequence[Sequence[Any]]) -> list[Message]:
        assert self.only is not None
        return [self.only.result(rows)]

    def perform(self, context: ServiceContext) -> list[Message]:
        """Append the messages.

        Raises:
            SessionNotFound, SessionClosed, SequenceConflict, KeyReused
            InvalidInput: payload or metadata cannot be stored as JSON; the field begins with the place in the list.
        """
        if self.only is not None:
            return [self.only.perform(context)]
        return _append_many(context, self)


def _append_many(context: ServiceContext, asked: AppendMany) -> list[Message]:
    session_id, given = asked.session_id, asked.given
    last = lock_session(context, session_id)
    keys = [message.key for message in given if message.key is not None]
    known = with_keys(context, session_id, keys) if keys else {}
    register_models(context, {one.model_id for one in given})
    unsettled = [one for one in given if not one.is_settled]
    listed = (
        price_list(context, session_id, {one.model_id for one in unsettled if one.model_id})
        if any(map(is_countable, map(vars, unsettled)))
        else PriceList()
    )
    # Columns that none of the messages fills are left out.
    has_prices, has_origins = len(unsettled) < len(given) or bool(listed.known), not _are_plain(given)
    added: list[dict[str, Any]] = []
    placed: dict[str, int] = {}
    result: list[Message | int] = []  # in place of a message that is added, its place among those
    for message, prepared in zip(given, asked.rows, strict=True):
        row = prepared.copy()  # as it was, should this be done again
        key = message.key
        if key is not None:
            place = placed.get(key)
            stored = (
                known.get(key) if place is None else Stored(_message(added[place]), added[place]["digest"], new=True)
            )
            if stored is not None:
                same = stored.message if asked.keep else stored.require_same(row, timed=message.created_at is not None)
                result.append(same if place is None else place)
                continue
            placed[key] = len(added)
        last += 1
        row["session_id"], row["sequence_number"] = session_id, last
        if has_prices:
            if message.is_settled:
                row |= price_of(message)
            else:
                listed.price(row)
        if has_origins:
            row |= origin_of(message)
        result.append(len(added))
        added.append(row)
    if added:
        if asked.expected is not None and added[0]["sequence_number"] != asked.expected:
            raise SequenceConflict(session_id, asked.expected, added[0]["sequence_number"] - 1)
        context.insert_rows(messages_table, added)
        context.appended += len(added)
        logger.debug("messages appended", extra={"session_id": session_id, "count": len(added)})
    new = from_rows(added)
    return [new[one] if isinstance(one, int) else one for one in result]


def _are_plain(given: Sequence[NewMessage]) -> bool:
    return all(type(message) is NewMessage for message in given)


def _message(row: dict[str, Any]) -> Message:
    return from_rows([row])[0]


def _at_place(field: str, place: int, given: Any) -> NewMessage:
    """A message of a list. What is wrong with it is told with its place."""
    try:
        return new_message(given)
    except InvalidInput as error:
        wrong = _placed(field, place, error)
    raise wrong


def _placed(field: str, place: int, error: InvalidInput) -> InvalidInput:
    """The error of a message, with its place in the list."""
    return InvalidInput(f"{field}[{place}].{error.field}", error.reason)
