"""The ledger's side of records: the sessions and messages that they belong to, and the comparison of what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Fate, Row, Source
from chatledger.adoption.source.json_values import is_clean
from chatledger.adoption.source.rows import OldSession
from chatledger.adoption.target import place_of
from chatledger.adoption.to_new_message import MARK, digest
from chatledger.errors import AdoptionFailed
from chatledger.models import Message as MessageRow
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.unit_of_work import UnitOfWork


class Target:
    """Where records go."""

    def __init__(self, uow: UnitOfWork, source: Source, layout: Layout, notes: Notes, *, writing: bool) -> None:
        self.uow, self.layout, self.notes, self.writing = uow, layout, notes, writing
        self._source = source
        self._last: tuple[str, str | None] = ("", None)

    def settle(self, row: Row, fate: Fate) -> None:
        """Note what became of a row."""
        self._source.settle(row, fate)

    def session_id(self, session: OldSession | None) -> str | None:
        """The session in the ledger that was made of one of the source. None if it is not there."""
        if session is None:
            return None
        name = f"{session.session_id} {session.source_id} {session.origin}"
        if self._last[0] != name:
            there = place_of(self.uow, self.layout, session).there
            self._last = (name, None if there is None else there.session_id)
        return self._last[1]

    def sequence_of(self, session_id: str | None, key: str | None) -> int | None:
        """The number of a message in the ledger, by its key."""
        if session_id is None or key is None:
            return None
        row = MessageRow
        wanted = select(row.sequence_number).where(row.session_id == session_id, row.key == key)
        return self.uow.session.execute(wanted).scalar_one_or_none()

    def name_for(self, own: str) -> tuple[str, str]:
        """The id that a record asks for, and the one that it takes where another record has it."""
        other = f"{self.layout}:{digest(own)}"
        return own if is_clean(own) and len(own) <= MAX_IDENTIFIER else other, other

    def marks(self, found: Iterable[Any]) -> set[str]:
        """The rows of sources of this layout that metadata names."""
        marks = (metadata.get(MARK) for metadata in found if isinstance(metadata, dict))
        return {
            str(mark["source_id"])
            for mark in marks
            if isinstance(mark, dict) and mark.get("layout") == self.layout.value and "source_id" in mark
        }

    def require(self, stored: Mapping[str, Any], given: Mapping[str, Any], row: Row) -> None:
        """Compare what was read back with what was written.

        Raises:
            AdoptionFailed: a value differs, or is not there.
        """
        if any(name not in stored or stored[name] != value for name, value in given.items()):
            raise AdoptionFailed(f"row {row.key} of {row.table!r} does not equal its source: nothing was written")
