"""The defaults of the columns of `chatledger_messages`: numbers, times, digests, search texts and costs.

They serve a flush, which has everything but the numbers, and the statements `insert(Message)` with rows, which have
none of it. All rows of a statement are numbered at once, under the locks of their sessions, so that they can be sent to
the database together.
"""

from __future__ import annotations

from typing import Any

from chatledger.dialects import dialect_of
from chatledger.errors import InvalidInput
from chatledger.models.registration import register
from chatledger.models.writing.context import context_in
from chatledger.models.writing.locking import lock_session
from chatledger.models.writing.prices import costs_of
from chatledger.schemas.fields import called, validated
from chatledger.schemas.message import NewMessage
from chatledger.schemas.stored_message import to_row

_PREPARED = "chatledger_rows"
_FIELDS = tuple(NewMessage.model_fields)


def value_of(context: Any, column: str) -> Any:
    """What a column of the current row gets, where the statement does not say.

    Raises:
        InvalidInput: a value that cannot be stored, or rows that cannot be numbered.
        SessionNotFound, SessionClosed
    """
    prepared = context.__dict__.get(_PREPARED)
    if prepared is None:
        prepared = context.__dict__[_PREPARED] = _prepare(context)
    return prepared[id(context.current_parameters)][column]


def _prepare(context: Any) -> dict[int, dict[str, Any]]:
    rows: list[dict[str, Any]] = context.compiled_parameters
    writer, connection = context_in(context.execution_options), context.root_connection
    for row in rows:
        if "session_id" not in row:
            raise InvalidInput(
                "session_id",
                "must be a value in each row, so that messages can be numbered: add objects, or pass rows beside the "
                "statement, as in session.execute(insert(Message), rows)",
            )
        called(row["session_id"], "session_id")
    # A flush has done all this, object by object.
    fresh = [row for row in rows if row.get("digest") is None]
    filled: dict[int, dict[str, Any]] = {id(row): {} for row in rows}
    if fresh:
        now = writer.clock()
        stored = [_stored(row, now) for row in fresh]
        register(connection, dialect_of(connection.dialect.name), (), (row["model_id"] for row in stored), now)
        named = [(row["session_id"], one) for row, one in zip(fresh, stored, strict=True)]
        for row, one, found in zip(fresh, stored, costs_of(connection, named), strict=True):
            filled[id(row)] = {
                **found._asdict(), "created_at": one["created_at"], "digest": one["digest"],
                "search_text": one["search_text"], "search_extra": one["search_extra"],
            }  # fmt: skip
            for name, value in filled[id(row)].items():
                if name in row:
                    row[name] = value
    last = {
        session_id: lock_session(connection, session_id, writer.owner)
        for session_id in sorted({row["session_id"] for row in rows})
    }
    for row in rows:
        number = last[row["session_id"]] = last[row["session_id"]] + 1
        if row.get("sequence_number") not in (None, number):
            raise refused_number(number)
        filled[id(row)]["sequence_number"] = number
    return filled


def _stored(row: dict[str, Any], now: Any) -> dict[str, Any]:
    """A row of a statement in stored form. What it was normalised to is written back into the row."""
    given = {name: row[name] for name in _FIELDS if name in row}
    if given.get("content", "") is None:
        given["content"] = ""
    message = validated(NewMessage, given)
    for name in given:
        if name != "payload":
            row[name] = getattr(message, name)
    if "metadata" in row:
        row["metadata"] = row["metadata"] or None
    return to_row(message, now)


def refused_number(wanted: int) -> InvalidInput:
    """A given number that is not the next one."""
    return InvalidInput(
        "sequence_number", f"is counted by chatledger, without gaps: leave it out (the next number is {wanted})"
    )
