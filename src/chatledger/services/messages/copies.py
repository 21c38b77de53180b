"""Messages that are copies of others: found, linked to their originals, and promoted when the original is deleted.

Whoever copies holds the sessions of the originals with FOR KEY SHARE, which an append does not wait for; whoever
deletes messages holds their session with FOR UPDATE. So no copy is made of a message that is being deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, or_, select, union, update

from chatledger.dialects.types import Identifier, Whole
from chatledger.models.copy_promotion import holders, messages, promotion
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.visibility import SESSION_KEY, visible_to_owner

# Values that a statement names.
_MANY = 500
# Sessions with copies of a session's messages in which a restore looks for a message that became an original.
_HEIRS = 100


def pass_on(
    context: ServiceContext,
    session_ids: Sequence[str] | None,
    numbers: Sequence[int] | None = None,
    *,
    changed: bool = False,
) -> list[str]:
    """Make one copy of each deleted message an original. Returns the sessions whose messages have changed.

    `session_ids` are the sessions that messages were deleted from, or that were deleted; None means any session.
    `numbers` says which messages of a single session were deleted; with `changed` they are there and say something
    else.
    """
    if numbers is not None and len(numbers) > _MANY:
        numbers = None
    found = list(context.execute(holders(session_ids, numbers, changed=changed)).scalars())
    if found:
        # In the order of ids. Then nobody else appends to, copies or deletes what is changed here.
        for names in _chunks(found):
            context.execute(_LOCKED.where(sessions.c.session_id.in_(names)))
        context.execute(promotion(session_ids, numbers, changed=changed))
    return found


def hold(context: ServiceContext, session_ids: Iterable[str]) -> None:
    """Keep sessions and their messages from being deleted until the transaction ends."""
    for names in _chunks(sorted(set(session_ids))):
        context.execute(_HELD.where(sessions.c.session_id.in_(names)))


def hold_sources(context: ServiceContext, session_id: str) -> None:
    """The same for a session and those that its messages were copied from."""
    context.execute(_SOURCES, {"session": session_id})


def relatives(context: ServiceContext, session_id: str) -> list[str]:
    """The sessions in which a message of a session may be, too: those that it was copied from, or has copies in."""
    return list(context.execute(_RELATIVES, {"session": session_id}).scalars())


def link(context: ServiceContext, session_ids: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Fill in what rows of messages are copies of: of those in some sessions with the same number and the same digest."""
    found: dict[tuple[int, bytes], tuple[str, int]] = {}
    wanted = [row["sequence_number"] for row in rows if row["digest"] is not None]
    for names in _chunks(session_ids):
        for numbers in _chunks(wanted):
            there = messages.c.session_id.in_(names), messages.c.sequence_number.in_(numbers)
            for row in context.execute(_ORIGINALS.where(*there)).all():
                found.setdefault((row.sequence_number, bytes(row.digest)), (row.original, row.original_number))
    for one in rows:
        place = found.get((one["sequence_number"], one["digest"] or b""))
        # Its own copies may be found where they outlived it.
        known = place is not None and place[0] != one["session_id"]
        one["copied_from"], one["copied_sequence"] = place if known and place else (None, None)


def originals(
    context: ServiceContext, session_id: str, wanted: Sequence[tuple[int, bytes]]
) -> list[tuple[str, int] | None]:
    """The original of each message that is known by session, number and digest; None where there is none.

    Numbers may be lower than given, as they are after an import that closed gaps. A session that the owner of the work
    may not see has none.
    """
    found: list[tuple[str, int] | None] = []
    for some in _chunks(wanted):
        numbers, digests = [number for number, _ in some], [digest for _, digest in some]
        visible = select(sessions.c.session_id).where(sessions.c.session_id == SESSION_KEY, visible_to_owner())
        statement = _ORIGINALS.where(messages.c.session_id.in_(visible), messages.c.sequence_number <= max(numbers))
        parameters = {"session": session_id, "owner": context.owner}
        rows = context.execute(statement.where(messages.c.sequence_number.in_(numbers)), parameters).all()
        exact = {(row.sequence_number, bytes(row.digest)): (row.original, row.original_number) for row in rows}
        lower: dict[bytes, tuple[str, int]] = {}
        if not exact.keys() >= set(some):
            rows = context.execute(statement.where(messages.c.digest.in_(digests)), parameters).all()
            lower = {bytes(row.digest): (row.original, row.original_number) for row in rows}
        found += [exact.get((number, digest)) or lower.get(digest) for number, digest in some]
    return found


def hand_over(context: ServiceContext, before: str, after: str, shift: int, numbers: Sequence[int]) -> None:
    """Make messages of one session, and all their copies, copies of messages of another one, which are there now.

    `numbers` are those in the session `before`; `shift` is what is added to them in the session `after`.
    """
    for some in _chunks(numbers):
        these = (messages.c.session_id == before) & messages.c.sequence_number.in_(some)
        copies = (messages.c.copied_from == before) & messages.c.copied_sequence.in_(some)
        found = list(context.execute(select(messages.c.session_id).where(copies).distinct()).scalars())
        for names in _chunks(sorted({before, *found})):
            context.execute(_LOCKED.where(sessions.c.session_id.in_(names)))
        moved = {"copied_from": after}
        context.execute(
            update(messages).where(copies).values(**moved, copied_sequence=messages.c.copied_sequence + shift)
        )
        context.execute(
            update(messages).where(these).values(**moved, copied_sequence=messages.c.sequence_number + shift)
        )


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _MANY] for start in range(0, len(values), _MANY))


_SESSION = bindparam("session", type_=Identifier())
_LOCKED = select(sessions.c.session_id).order_by(sessions.c.session_id).with_for_update(key_share=True)
_HELD = select(sessions.c.session_id).order_by(sessions.c.session_id).with_for_update(read=True, key_share=True)
_COPIED = select(messages.c.copied_from).where(messages.c.session_id == _SESSION, messages.c.copied_from.is_not(None))
_SOURCES = _HELD.where(or_(sessions.c.session_id == _SESSION, sessions.c.session_id.in_(_COPIED)))
_BELOW = (
    select(messages.c.session_id)
    .where(messages.c.copied_from == _SESSION)
    .distinct()
    .order_by(messages.c.session_id)
    .limit(_HEIRS)
    .subquery()
)
_RELATIVES = union(
    _COPIED,
    select(sessions.c.forked_from).where(sessions.c.session_id == _SESSION, sessions.c.forked_from.is_not(None)),
    select(_BELOW.c.session_id),
)
_ORIGINALS = (
    select(
        messages.c.sequence_number,
        messages.c.digest,
        func.coalesce(messages.c.copied_from, messages.c.session_id, type_=Identifier()).label("original"),
        func.coalesce(messages.c.copied_sequence, messages.c.sequence_number, type_=Whole).label("original_number"),
    )
    .where(messages.c.digest.is_not(None))
    .order_by(messages.c.session_id, messages.c.sequence_number)
)
