"""Conversations that are in the ledger already: what an export of a later day adds to them.

Messages with keys are known by these, others by their order. What is stored stays as it is: a message that the file has
in another version is counted as changed, and so is a new one that does not stand at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from sqlalchemy import select

from chatledger.errors import InvalidInput, SessionExists
from chatledger.exchange.batching import Misplaced, fork_messages
from chatledger.exchange.copy_links import Attempt, copy_of
from chatledger.exchange.dry_run import try_messages
from chatledger.exchange.readers.branching import fork_id
from chatledger.exchange.readers.conversation import Conversation, Fork, Turn
from chatledger.exchange.session_import import BRANCH_OF
from chatledger.schemas import Message, NewMessage, Session
from chatledger.services.messages.append import with_keys
from chatledger.services.rows import sessions
from chatledger.services.visibility import visible_to_owner
from chatledger.unit_of_work import UnitOfWork

_Batches = Callable[[Iterable[Turn]], Iterator[list[Turn]]]
# What makes a message another one. Metadata, such as when it was shown last, may differ.
_SAME = ("role", "content", "payload", "name", "tool_call_id", "hidden")
# Stored messages among which the newest that the file has is looked for.
_LOOKED_BACK = 500
_MANY = 500


@dataclass
class Extension:
    """What was added to a known conversation."""

    messages: int = 0
    made: list[str] = field(default_factory=list)
    """Sessions that were made for new forks."""
    changed: dict[str, list[int]] = field(default_factory=dict)
    """By session: numbers of messages that the file has in another version."""
    misplaced: int = 0
    """New messages that do not follow on those that are stored."""


@dataclass
class _Comparison:
    matched: int = 0
    changed: list[int] = field(default_factory=list)
    misplaced: int = 0
    tail: Iterator[list[Turn]] = field(default_factory=lambda: iter(()))


def known_session(uow: UnitOfWork, conversation: Conversation) -> Session | None:
    """The session that a conversation of a file is, if it is there and visible."""
    session_id = conversation.fields.get("session_id")
    return None if session_id is None else uow.sessions.find(session_id, include_expired=True)


def extend(
    uow: UnitOfWork, session: Session, conversation: Conversation, batches: _Batches, copies: Attempt, *, dry_run: bool
) -> Extension:
    """Add to a session, and to its forks, what the file has and they have not; with `dry_run` only count it.

    Raises:
        SessionExists: the session is another conversation.
        InvalidInput, Unreadable: a message that cannot be stored, or read.
    """
    done = Extension()
    if conversation.through is not None and session.message_count:
        newest = uow.messages.history(session.session_id, last=_LOOKED_BACK)[::-1]
        found = conversation.through([message.key for message in newest if message.key is not None])
        if found is None:
            raise SessionExists(session.session_id)
        conversation = found
    made = [session.session_id]
    first = _compare(uow, session, batches(conversation.messages), keyed=conversation.keyed)
    if session.message_count and not first.matched and first.changed:
        raise SessionExists(session.session_id)
    _append(uow, session, first, made, copies, done, "messages", dry_run=dry_run)
    _extend_forks(uow, session, conversation, batches, copies, made, done, dry_run=dry_run)
    return done


def _extend_forks(
    uow: UnitOfWork, session: Session, conversation: Conversation, batches: _Batches, copies: Attempt, made: list[str],
    done: Extension, *, dry_run: bool,
) -> None:  # fmt: skip
    names = [_ids(session.session_id, fork) for fork in conversation.forks]
    there = _existing(uow, {name for some in names for name in some})
    for number, (fork, ids) in enumerate(zip(conversation.forks, names, strict=True)):
        among = fork_messages(number)
        # A fork is called after the message that it ended with when it was made: the last of those that it has.
        known = next((name for name in reversed(ids) if name in there), None)
        if known is not None:
            there.discard(known)
            made.append(known)
            stored = uow.sessions.get(known, include_expired=True)
            comparison = _compare(uow, stored, batches(fork.messages), keyed=True)
            _append(uow, stored, comparison, made, copies, done, among, dry_run=dry_run)
            continue
        tail = _Comparison(tail=batches(fork.messages))
        if dry_run:
            made.append(fork.session_id or "")
            done.made.append(fork.session_id or "")
            _append(uow, session, tail, made, copies, done, among, dry_run=True)
            continue
        new = _make_fork(uow, session.session_id, conversation, fork)
        made.append(new.session_id)
        done.made.append(new.session_id)
        _append(uow, new, tail, made, copies, done, among, dry_run=False)


def _make_fork(uow: UnitOfWork, source: str, conversation: Conversation, fork: Fork) -> Session:
    common = with_keys(uow._context, source, [fork.after]).get(fork.after) if fork.after is not None else None
    if common is not None:
        at = common.message.sequence_number
        return uow.sessions.fork(source, at=at, new_session_id=fork.session_id, created_at=fork.began())
    metadata = {**(conversation.fields.get("metadata") or {}), BRANCH_OF: source}
    return uow.sessions.create(**{**conversation.fields, "session_id": fork.session_id, "metadata": metadata})


def _ids(session_id: str, fork: Fork) -> list[str]:
    """Under which ids a fork may be stored, by the messages on its way."""
    keys = (turn.message.key for turn in fork.messages)
    return [name for key in keys if key is not None and (name := fork_id(session_id, key)) is not None]


def _existing(uow: UnitOfWork, ids: set[str]) -> set[str]:
    ordered, found = sorted(ids), set[str]()
    for start in range(0, len(ordered), _MANY):
        statement = select(sessions.c.session_id).where(
            sessions.c.session_id.in_(ordered[start : start + _MANY]), visible_to_owner()
        )
        found |= set(uow._context.execute(statement, {"owner": uow._context.owner}).scalars())
    return found


def _compare(uow: UnitOfWork, session: Session, batches: Iterator[list[Turn]], *, keyed: bool) -> _Comparison:
    return (_by_keys if keyed else _by_order)(uow, session, batches)


def _by_keys(uow: UnitOfWork, session: Session, batches: Iterator[list[Turn]]) -> _Comparison:
    found, tail, was_known = _Comparison(), list[Turn](), False
    for batch in batches:
        keys = [turn.message.key for turn in batch if turn.message.key is not None]
        stored = with_keys(uow._context, session.session_id, keys)
        for turn in batch:
            known = stored.get(turn.message.key) if turn.message.key is not None else None
            if known is not None:
                found.matched += 1
                found.misplaced += len(tail)
                tail.clear()
                if not _same(known.message, turn.message):
                    found.changed.append(known.message.sequence_number)
            elif turn.message.key is not None or not was_known:  # without a key, it belongs to the one before
                tail.append(turn)
            was_known = known is not None or (turn.message.key is None and was_known)
    found.tail = iter([tail] if tail else [])
    return found


def _by_order(uow: UnitOfWork, session: Session, batches: Iterator[list[Turn]]) -> _Comparison:
    found, agrees = _Comparison(), True
    stored = uow.messages.iterate(session.session_id)
    for batch in batches:
        for place, turn in enumerate(batch):
            message = next(stored, None)
            if message is None:
                rest = chain([batch[place:]], batches)
                if agrees:
                    found.tail = rest
                else:  # it goes on from something else
                    found.misplaced = sum(map(len, rest))
                return found
            agrees = _same(message, turn.message)
            found.matched += agrees
            if not agrees:
                found.changed.append(message.sequence_number)
    return found


def _same(stored: Message, new: NewMessage) -> bool:
    return all(getattr(stored, name) == getattr(new, name) for name in _SAME)


def _append(
    uow: UnitOfWork, session: Session, found: _Comparison, made: list[str], copies: Attempt, done: Extension, among: str,
    *, dry_run: bool,
) -> None:  # fmt: skip
    session_id = session.session_id
    if found.changed:
        done.changed[session_id] = found.changed
    done.misplaced += found.misplaced
    before = found.matched + len(found.changed)
    for batch in found.tail:
        if dry_run:
            turns = batch
        else:
            if not done.messages and not session.is_open:
                uow.sessions.reopen(session_id, reason="the import has new messages")
                session = uow.sessions.get(session_id)
            turns = [_linked(uow, turn, made) for turn in batch]
        try:
            if dry_run:
                try_messages([turn.message for turn in turns])
            else:
                messages = uow.messages.append_many(session_id, copies.linked(uow, session_id, turns, made))
                copies.stored(uow, session_id, turns, messages)
        except InvalidInput as error:
            raise Misplaced.of(error, batch, before, among) from None
        before += len(batch)
        done.messages += len(batch)


def _linked(uow: UnitOfWork, turn: Turn, made: list[str]) -> Turn:
    """A turn that another session of the conversation has, too, as a copy of that message, wherever it is there."""
    if turn.shared is None:
        return turn
    holder, key = made[turn.shared.session], turn.message.key
    found = with_keys(uow._context, holder, [key]).get(key) if key is not None else None
    if found is None:
        return turn._replace(shared=None)
    message = found.message
    origin = (message.copied_from or holder, message.copied_sequence or message.sequence_number)
    return turn._replace(shared=None, message=copy_of(turn.message, *origin))
