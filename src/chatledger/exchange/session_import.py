"""A conversation and its forks into sessions, within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from chatledger.enums import Status
from chatledger.errors import InvalidInput, SessionExists, SessionNameTaken
from chatledger.exchange.batching import Misplaced, fork_messages
from chatledger.exchange.copy_links import Attempt
from chatledger.exchange.readers.conversation import Conversation, Fork, Turn
from chatledger.unit_of_work import UnitOfWork

BRANCH_OF = "branch_of"
"""Metadata of a branch that has no message in common with its conversation: the session which that became."""

_Batches = Callable[[Iterable[Turn]], Iterator[list[Turn]]]


def write(
    uow: UnitOfWork,
    conversation: Conversation,
    messages: Iterator[list[Turn]],
    batches: _Batches,
    copies: Attempt,
    *,
    renames: bool,
) -> list[str]:
    """Store a conversation, whose messages have been put into batches, and its forks; the sessions that were made.

    With `renames` a session whose id is taken gets a new one, and then so do its forks.

    Raises:
        SessionExists: an id is taken, without `renames`.
        InvalidInput, Unreadable: a message that cannot be stored, or read.
    """
    session_id = _made(conversation.fields.get("session_id"), partial(_create, uow, conversation), renames)
    copies.begin(conversation.fields.get("session_id"), session_id)
    made = [session_id]
    _append(uow, made, messages, copies, "messages")
    renamed = session_id != conversation.fields.get("session_id")
    for number, fork in enumerate(conversation.forks):
        wanted = None if renamed else fork.session_id
        made.append(_made(wanted, partial(_fork, uow, session_id, conversation, fork), renames))
        _append(uow, made, batches(fork.messages), copies, fork_messages(number))
    _close(uow, session_id, conversation.status)
    return made


def _made(wanted: str | None, make: Callable[[str | None], str], renames: bool) -> str:
    try:
        return make(wanted)
    except SessionExists:
        if not renames:
            raise
    return make(None)


def _create(uow: UnitOfWork, conversation: Conversation, session_id: str | None, **metadata: Any) -> str:
    fields = {**conversation.fields, "session_id": session_id}
    if metadata:
        fields["metadata"] = {**(fields.get("metadata") or {}), **metadata}
    try:
        return uow.sessions.create(**fields).session_id
    except SessionNameTaken as error:
        note = f"the name {error.name!r} is another session's: the session was stored without a name"
        conversation.notes = (*(one for one in conversation.notes if one != note), note)
    return uow.sessions.create(**{**fields, "name": None}).session_id


def _fork(uow: UnitOfWork, source: str, conversation: Conversation, fork: Fork, session_id: str | None) -> str:
    if fork.at:
        began = fork.began()
        return uow.sessions.fork(source, at=fork.at, new_session_id=session_id, created_at=began).session_id
    # Nothing would be copied, so it is a fork of nothing.
    return _create(uow, conversation, session_id, **{BRANCH_OF: source})


def _append(uow: UnitOfWork, made: list[str], batches: Iterator[list[Turn]], copies: Attempt, among: str) -> None:
    """Append messages to the session that was made last."""
    session_id, stored = made[-1], 0
    for batch in batches:
        try:
            messages = uow.messages.append_many(session_id, copies.linked(uow, session_id, batch, made))
            copies.stored(uow, session_id, batch, messages)
        except InvalidInput as error:
            raise Misplaced.of(error, batch, stored, among) from None
        stored += len(batch)


def _close(uow: UnitOfWork, session_id: str, status: Status) -> None:
    closing: dict[Status, Callable[[str], object]] = {
        Status.PAUSED: uow.sessions.pause,
        Status.IDLE: uow.sessions.mark_idle,
        # Nothing has happened in it that a snapshot would keep.
        Status.ARCHIVED: partial(uow.sessions.archive, snapshot=False),
        Status.EXPIRED: uow.sessions.expire,
        Status.FAILED: uow.sessions.fail,
    }
    if status in closing:
        closing[status](session_id)
