"""Which imported messages are copies of others.

A file of ours names the original of each copy, by the ids and numbers of the ledger that was exported. A link is made
only to a message that is there and has the same digest. Where the original has not been read yet, the first copy stands
in for it, and hands over when the original comes. Where the original never comes, the first copy stays the original.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.conversation import Turn
from chatledger.exchange.resumed import Place, ResumedSessions
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.copied_message import CopiedMessage
from chatledger.schemas.stored_message import to_row
from chatledger.services.messages import copies
from chatledger.unit_of_work import UnitOfWork


class Copies:
    """What an import remembers of the sessions that it has read."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        """Sessions of the file that are stored under another id."""
        self._stand_ins: dict[str, dict[int, Place]] = defaultdict(dict)
        """By session and number of an original that has not been read: the copy that stands in for it."""

    def attempt(self, resumed: ResumedSessions | None = None) -> Attempt:
        """Begin to store a conversation, which may repeat messages of others. It is remembered when it is kept."""
        return Attempt(self, resumed)

    def stored_as(self, session_id: str) -> str:
        """The id under which a session of the file is stored."""
        return self._ids.get(session_id, session_id)

    def stand_in(self, session_id: str, number: int) -> Place | None:
        """The copy that stands in for a message of the file."""
        found = self._stand_ins.get(session_id)
        return None if found is None else found.get(number)

    def remember(self, ids: dict[str, str], added: dict[Place, Place], settled: Iterable[Place]) -> None:
        """Remember what an attempt has learned."""
        self._ids |= ids
        for (session_id, number), place in added.items():
            self._stand_ins[session_id][number] = place
        for session_id, number in settled:
            self._stand_ins[session_id].pop(number, None)
            if not self._stand_ins[session_id]:
                del self._stand_ins[session_id]


class Attempt:
    """One attempt to store a conversation, which may be made again when the database is busy."""

    def __init__(self, copies_: Copies, resumed: ResumedSessions | None = None) -> None:
        self._copies, self._resumed = copies_, resumed
        self._repeats: dict[Place, Place] = {}
        """Messages that another session has too, by where they were stored: their originals."""
        self._ids: dict[str, str] = {}
        self._added: dict[Place, Place] = {}
        self._settled: list[Place] = []

    def keep(self) -> None:
        """Remember what was learned: the conversation is stored."""
        self._copies.remember(self._ids, self._added, self._settled)

    def begin(self, named: str | None, session_id: str) -> None:
        """Note that a session which the file calls `named` is stored as `session_id`."""
        if named is not None and named != session_id:
            self._ids[named] = session_id

    def linked(self, uow: UnitOfWork, session_id: str, batch: Sequence[Turn], made: Sequence[str]) -> list[NewMessage]:
        """The messages of a batch with what they are copies of. `made` are the sessions of the conversation so far."""
        messages = [turn.message for turn in batch]
        by_session: dict[str, list[int]] = defaultdict(list)
        targets: dict[int, Place] = {}
        repeats = {} if self._resumed is None else self._resumed.originals(uow, session_id, messages)
        for index, turn in enumerate(batch):
            if turn.shared is not None:
                first = (made[turn.shared.session], turn.shared.number)
                messages[index] = copy_of(turn.message, *self._repeats.get(first, first))
            elif index in repeats:
                messages[index] = copy_of(turn.message, *repeats[index])
            elif (named := _named(turn.message)) is not None:
                targets[index] = self._place(*named)
                by_session[targets[index][0]].append(index)
        copies.hold(uow._context, by_session)
        for source, indexes in by_session.items():
            wanted = [(targets[index][1], _digest(uow, messages[index])) for index in indexes]
            found = copies.originals(uow._context, source, wanted)
            for index, place in zip(indexes, found, strict=True):
                known = place is not None and place[0] != session_id
                messages[index] = copy_of(messages[index], *(place if known and place is not None else (None, None)))
        return messages

    def stored(self, uow: UnitOfWork, session_id: str, batch: Sequence[Turn], messages: Sequence[Message]) -> None:
        """Learn the numbers of a batch that was stored, and let stand-ins hand over to the originals in it."""
        shifts: dict[tuple[str, int], list[int]] = defaultdict(list)
        for turn, message in zip(batch, messages, strict=True):
            if self._resumed is not None and message.copied_from is not None and message.copied_sequence is not None:
                self._repeats[session_id, message.sequence_number] = (message.copied_from, message.copied_sequence)
            named = _named(turn.message)
            if named is not None and message.copied_from is None:
                self._added[named] = (session_id, message.sequence_number)
            elif named is None and turn.place is not None:
                stand_in = self._copies.stand_in(*turn.place)
                if stand_in is not None and message.copied_from is None:
                    shifts[stand_in[0], message.sequence_number - stand_in[1]].append(stand_in[1])
                    self._settled.append(turn.place)
        for (before, shift), numbers in sorted(shifts.items()):
            copies.hand_over(uow._context, before, session_id, shift, numbers)

    def _place(self, session_id: str, number: int) -> Place:
        """Where an original of the file is, or what stands in for it."""
        named = (session_id, number)
        stand_in = self._added.get(named) or self._copies.stand_in(session_id, number)
        return stand_in or (self._ids.get(session_id) or self._copies.stored_as(session_id), number)


def _named(message: NewMessage) -> Place | None:
    """The original that a file names for a message."""
    if not isinstance(message, CopiedMessage) or message.copied_from is None or message.copied_sequence is None:
        return None
    return message.copied_from, message.copied_sequence


def _digest(uow: UnitOfWork, message: NewMessage) -> bytes:
    with suppress(InvalidInput):  # which is told when it is appended, with its place
        return bytes(to_row(message, uow._context.now())["digest"])
    return b""


def copy_of(message: NewMessage, session_id: str | None, number: int | None) -> NewMessage:
    """A message as a copy of another one, or as an original."""
    kind = type(message) if isinstance(message, CopiedMessage) else CopiedMessage
    values: dict[str, Any] = {name: getattr(message, name) for name in type(message).model_fields}
    values |= {"copied_from": session_id, "copied_sequence": number}
    return kind.model_construct(set(values), **values)
