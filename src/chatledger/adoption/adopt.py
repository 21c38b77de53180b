"""An older database into a ledger: reported, copied in one transaction, and proved before the commit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from chatledger.adoption.detection import reader_of
from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.records.observations import Records
from chatledger.adoption.records.registry import Registering
from chatledger.adoption.report import AdoptionReport, TableAccount
from chatledger.adoption.session_copy import Passage, Progress
from chatledger.adoption.source import check
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.verification import require_every_row
from chatledger.callbacks import callback
from chatledger.dialects.foreign_file import ForeignFile, unreadable
from chatledger.enums import Orphans, OrphansLike
from chatledger.errors import InvalidInput
from chatledger.ledger.ledger import Ledger
from chatledger.schemas.fields import file_path, flags
from chatledger.unit_of_work import UnitOfWork


def adopt(
    ledger: Ledger,
    source: str | os.PathLike[str],
    *,
    layout: Layout | str = Layout.AUTO,
    dry_run: bool = False,
    orphans: OrphansLike = Orphans.KEEP,
    timezone: str = "UTC",
    progress: Progress | None = None,
) -> AdoptionReport:
    """Take an older database over into a ledger. The source is read and never written, not even beside it.

    It is gone through twice. First for the report, which is all that a `dry_run` does. Then everything is copied in one
    transaction, and before that commits each session is read back and compared, and each row of the source is accounted
    for. Projects, models and prices fill the registry where it does not know better. No cost is counted: what the source
    does not say stays unknown. An error, or the end of the process, leaves the ledger as it was.

    Run again, it adds what came since to sessions that are open, and nothing twice. What changed in the source since is
    reported, and the ledger keeps what it has.

    `orphans` says whether messages whose session is gone are kept, each missing session as one of its own, or dropped
    and named in the report. `timezone` is the zone of times that name none. Memory is bounded, however long the source;
    a source with a `-wal` is first copied to a private temporary folder.

    Raises:
        InvalidInput: the source is of no layout that is known (or not of the one named), or is no SQLite database.
        CorruptDatabase: the source is damaged.
        Busy: the source is being written, or the ledger was busy for too long.
        AdoptionFailed: what was copied did not equal the source. Nothing was written.
        Unavailable, ReadOnly, SchemaError: the source cannot be read, or the ledger failed. Nothing was written.
    """
    flags(dry_run=dry_run)
    progress = callback(progress, "progress")
    source = file_path(source, "source")
    wanted, handling, zone = _layout(layout), _orphans(orphans), _zone(timezone)
    try:
        with ForeignFile(source) as file:
            reader = reader_of(Source(file, zone), wanted, dropping=handling is Orphans.DROP)
            work = _Adoption(ledger, reader, os.fsdecode(source), handling, timezone, progress)
            return work.rehearse() if dry_run else work.perform()
    except sqlite3.Error as error:  # the ledger's own are translated where they arise
        wrong = unreadable(error, repr(os.fsdecode(source)))
    raise wrong


class _Adoption:
    """One adoption under way."""

    def __init__(
        self, ledger: Ledger, reader: Reader, name: str, orphans: Orphans, timezone: str, progress: Progress | None
    ) -> None:
        self._ledger, self._reader, self._source = ledger, reader, reader.source
        self._name = name
        self._orphans, self._timezone, self._progress = orphans, timezone, progress
        self._total = sum(self._source.count(table) for table in reader.present())

    def rehearse(self) -> AdoptionReport:
        with self._ledger.read() as uow:
            return self._report(self._pass(uow, self._notes(), writing=False), dry_run=True)

    def perform(self) -> AdoptionReport:
        notes = self._notes()
        with self._ledger.read() as uow:
            self._pass(uow, notes, writing=False)
        with self._ledger.begin() as uow:
            done = self._pass(uow, self._notes(), writing=True)
            self._source.file.require_unchanged()
            return self._report(done, dry_run=False)

    def _notes(self) -> Notes:
        return Notes(zone=self._timezone, dropping=self._orphans is Orphans.DROP)

    def _pass(self, uow: UnitOfWork, notes: Notes, *, writing: bool) -> Passage:
        source, reader = self._source, self._reader
        source.forget()
        reader.notes = notes
        check.require_sound(source, notes)
        check.survey(source, reader, notes)
        reader.survey()
        for table in reader.derived():
            if table in source.tables:
                for row in source.rows(table):
                    source.settle(row, "derived")
        registry = Registering(uow, source, reader.layout, notes, writing=writing)
        for name in reader.names():
            registry.take(name)
        passage = Passage(
            uow, source, reader.layout, notes, writing=writing, total=self._total, progress=self._progress
        )  # fmt: skip
        for session in reader.sessions():
            passage.take(session)
        records = Records(uow, source, reader.layout, notes, writing=writing)
        for record in reader.records():
            records.take(record)
        for session in reader.rest():
            passage.take(session)
        require_every_row(source, reader.present())
        passage.finish()
        return passage

    def _report(self, done: Passage, *, dry_run: bool) -> AdoptionReport:
        return AdoptionReport(
            source=self._name,
            layout=self._reader.layout,
            orphans=self._orphans,
            timezone=self._timezone,
            dry_run=dry_run,
            findings=self._reader.notes.findings(),
            tables=tuple(self._account(table) for table in self._reader.present()),
            sessions=done.sessions,
            messages=done.messages,
            already_there=done.already_there,
            other_rows=done.other_rows,
        )

    def _account(self, table: str) -> TableAccount:
        fates = self._source.fates(table)
        return TableAccount(
            table=table,
            rows=self._source.count(table),
            copied=fates.get("copied", 0),
            kept=fates.get("kept", 0),
            already_there=fates.get("already", 0),
            derived=fates.get("derived", 0),
            left_out=fates.get("left_out", 0),
            left_out_rows=tuple(_ranges(self._source.rowids(table, "left_out"))),
        )


def _ranges(numbers: Iterable[int]) -> Iterator[str]:
    """`1, 2, 3, 7` as `1-3` and `7`."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if last is not None:
            yield str(first) if first == last else f"{first}-{last}"
        first = last = number
    if last is not None:
        yield str(first) if first == last else f"{first}-{last}"


def _layout(given: Any) -> Layout:
    try:
        return Layout(given)
    except ValueError:
        raise InvalidInput("layout", f"is not one of {', '.join(Layout)}") from None


def _orphans(given: Any) -> Orphans:
    try:
        return Orphans(given)
    except ValueError:
        raise InvalidInput("orphans", f"is not one of {', '.join(Orphans)}") from None


def _zone(name: Any) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, TypeError, AttributeError, LookupError):
        raise InvalidInput("timezone", "is no time zone that this machine knows, such as Europe/Vienna") from None
