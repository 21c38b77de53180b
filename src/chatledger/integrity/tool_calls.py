"""Tool calls without a result, and results without a call: models refuse such a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic_core import from_json
from sqlalchemy import Text, or_, select, type_coerce

from chatledger.dialects.constructs import json_text
from chatledger.enums import Role
from chatledger.schemas.content_parts import result_ids
from chatledger.schemas.message_parts import TOOL_CALLS, read_tool_calls
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions

# Rows that are read at a time.
_BATCH = 500


class Unpaired(NamedTuple):
    """A call that has no result although the conversation went on, or a result of no call."""

    kind: str
    session_id: str
    sequence_number: int


def unpaired(context: ServiceContext) -> Iterator[Unpaired]:
    """Calls and results that are not pairs, in the order of sessions and numbers.

    A session whose messages have no calls in the documented form is left out: its calls may be kept in another form.
    """
    session_id: str | None = None
    open_: dict[str, int] = {}
    stray: list[int] = []
    calls = newest = 0

    def conclude() -> Iterator[Unpaired]:
        if session_id is not None and calls:
            for number in sorted({one for one in open_.values() if one != newest}):
                yield Unpaired("open_calls", session_id, number)
            for number in stray:
                yield Unpaired("stray_results", session_id, number)

    for row in context.execute(_CANDIDATES).yield_per(_BATCH):
        if row.session_id != session_id:
            yield from conclude()
            session_id, open_, stray, calls, newest = row.session_id, {}, [], 0, row.last_sequence
        try:
            payload = None if row.payload is None else from_json(row.payload)
        except ValueError:  # it is found as damaged elsewhere
            payload = None
        own = [row.tool_call_id] if row.role == Role.TOOL and row.tool_call_id is not None else []
        if [one for one in own + result_ids(payload) if open_.pop(one, None) is None]:
            stray.append(row.sequence_number)
        found = read_tool_calls(payload)
        calls += len(found)
        open_ |= {call.id: row.sequence_number for call in found if call.id is not None}
    yield from conclude()


_PAYLOAD = json_text(messages.c.payload)
_CANDIDATES = (
    select(
        messages.c.session_id,
        messages.c.sequence_number,
        type_coerce(messages.c.role, Text).label("role"),
        messages.c.tool_call_id,
        _PAYLOAD.label("payload"),
        sessions.c.last_sequence,
    )
    .join(sessions, sessions.c.session_id == messages.c.session_id)
    .where(
        or_(
            type_coerce(messages.c.role, Text) == Role.TOOL.value,
            _PAYLOAD.contains(f'"{TOOL_CALLS}"'),
            _PAYLOAD.contains('"tool_result"'),
        )
    )
    .order_by(messages.c.session_id, messages.c.sequence_number)
)
