"""Sessions taken one after another: gone through for the report, or written and proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.report import AdoptionProgress
from chatledger.adoption.source.database import Fate, Source
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.target import Place, add_metadata, close, compare, link, mark_fork, place_of
from chatledger.adoption.to_new_message import new_message, session_fields, session_metadata
from chatledger.adoption.verification import Trail, require_session
from chatledger.schemas import NewMessage
from chatledger.schemas.copied_message import CopiedMessage
from chatledger.unit_of_work import UnitOfWork

# Messages, and characters of their text, that are held and written at a time.
_MESSAGES = 1000
_CHARACTERS = 1 << 22
# Seconds between two calls of `progress`, at least.
_PAUSE = 0.05

Progress = Callable[[AdoptionProgress], None]
Batch = tuple[list[OldMessage], list[NewMessage]]


class Passage:
    """One way through a source. With `writing` it copies and proves; without, it only sees what would be done."""

    def __init__(
        self,
        uow: UnitOfWork,
        source: Source,
        layout: Layout,
        notes: Notes,
        *,
        writing: bool,
        total: int,
        progress: Progress | None,
    ) -> None:
        self._uow, self._source, self._layout, self._notes = uow, source, layout, notes
        self._writing, self._total, self._progress = writing, total, progress
        self._reported_at = 0.0
        self._rows = 0
        self.sessions = self.messages = self.already_there = self.other_rows = 0

    def take(self, session: OldSession) -> None:
        """Go through one session with its messages.

        Raises:
            AdoptionFailed: what was written does not equal what was read.
        """
        place = place_of(self._uow, self._layout, session)
        key = session.source_id
        if place.taken:
            self._notes.add("id_taken", session.copied[0].table if session.copied else "", key)
        if place.there is None:
            self._begin(session, place)
        else:
            self._resume(session, place)
        self._report_progress()

    def _begin(self, session: OldSession, place: Place) -> None:
        fields = session_fields(session, self._notes)
        metadata = session_metadata(session, self._layout, self._notes)
        self.sessions += not session.of_rows
        written = Trail()
        if self._writing:
            self._uow.sessions.create(place.session_id, metadata=metadata, **fields)
        parent = self._parent(session)
        shared = 0
        for old, new in self._batches(session):
            if self._writing:
                given = new if parent is None else link(self._uow, parent, new)
                written.add(self._uow.messages.append_many(place.session_id, given))
                if parent is not None:
                    shared = max([shared, *(_number_in(parent, message) for message in given)])
            self._count(session, len(new))
            self._settle(old, "copied")
        if self._writing:
            if parent is not None:
                mark_fork(self._uow, place.session_id, parent, shared)
            close(self._uow, place.session_id, session.status, session.closed_at)
            require_session(
                self._uow, place.session_id, fields, metadata, session.status, written, after=None
            )  # fmt: skip
        self._settle_session(session, "copied", "kept")

    def _resume(self, session: OldSession, place: Place) -> None:
        """A session that was adopted before: what came since is added, what is there stays as it is."""
        there = place.there
        assert there is not None
        self.already_there += not session.of_rows
        table = session.copied[0].table if session.copied else ""
        written = Trail()
        for old, new in self._batches(session):
            absent, changed = compare(self._uow, place.session_id, new)
            for index in changed:
                self._notes.add("changed_since", old[index].row.table, old[index].row.rowid)
            missing = set(absent)
            self._settle([message for index, message in enumerate(old) if index not in missing], "already")
            if absent and not there.is_open:
                self._notes.add_all("closed_since", old[0].row.table, (old[index].row.rowid for index in absent))
                self._settle([old[index] for index in absent], "left_out")
            elif absent:
                if self._writing:
                    written.add(self._uow.messages.append_many(place.session_id, [new[index] for index in absent]))
                self._count(session, len(absent))
                self._settle([old[index] for index in absent], "copied")
        session_fields(session, self._notes)
        metadata = session_metadata(session, self._layout, self._notes)
        if self._writing:
            for name in add_metadata(self._uow, there, metadata):
                self._notes.add("changed_since", table, f"{session.source_id} {name}")
            require_session(
                self._uow, place.session_id, {}, {}, there.status, written, after=there.last_sequence
            )  # fmt: skip
        self._settle_session(session, "already", "already")

    def _parent(self, session: OldSession) -> str | None:
        """The session in the ledger that a fork branches off from."""
        if session.fork_of is None or not self._writing:
            return None
        found = place_of(self._uow, self._layout, session.fork_of)
        return None if found.there is None else found.session_id

    def _count(self, session: OldSession, added: int) -> None:
        if session.of_rows:
            self.other_rows += added
        else:
            self.messages += added

    def _batches(self, session: OldSession) -> Iterator[Batch]:
        old: list[OldMessage] = []
        new: list[NewMessage] = []
        characters = 0
        for message in session.messages:
            old.append(message)
            new.append(new_message(message, self._notes))
            characters += len(new[-1].content)
            if len(new) == _MESSAGES or characters >= _CHARACTERS:
                yield old, new
                old, new, characters = [], [], 0
                self._report_progress()
        if new:
            yield old, new

    def _settle(self, messages: list[OldMessage], fate: Fate) -> None:
        beside: Fate = "kept" if fate == "copied" else fate
        for message in messages:
            for row in message.kept:
                self._source.settle(row, beside, shared=message.shared)
            if message.row not in message.kept:
                self._source.settle(message.row, fate, shared=message.shared or bool(message.part))
        self._rows += len(messages)

    def _settle_session(self, session: OldSession, copied: Fate, kept: Fate) -> None:
        for row in session.copied:
            self._source.settle(row, copied)
        for row in session.kept:
            self._source.settle(row, kept)
        self._rows += len(session.copied) + len(session.kept)

    def _report_progress(self, *, last: bool = False) -> None:
        if self._progress is None:
            return
        now = time.monotonic()
        if last or now - self._reported_at >= _PAUSE:
            self._reported_at = now
            done = self._total if last else min(self._rows, self._total)
            step = "copying" if self._writing else "reading"
            self._progress(AdoptionProgress(step=step, rows_done=done, rows_total=self._total))

    def finish(self) -> None:
        """Say that it is over."""
        self._report_progress(last=True)


def _number_in(parent: str, message: NewMessage) -> int:
    """The number of the parent's message that a message is a copy of; 0 if it is none."""
    if isinstance(message, CopiedMessage) and message.copied_from == parent:
        return message.copied_sequence or 0
    return 0
