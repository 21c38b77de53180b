"""What an import and an export say of themselves."""

from __future__ import annotations

from chatledger.exchange.formats import Format
from chatledger.schemas.fields import Record

NAMED = 1000
"""Failures and session ids that a report names; the counts beside them go on."""


class Failure(Record):
    """A part of a file that was not imported. The reason names fields and places, never what they hold."""

    record: int
    """The record's place in the file, from 1. 0: the file itself."""
    line: int | None
    """The line where the record, or the message at fault, begins."""
    reason: str
    file: str | None = None
    """The file, if the import read several."""

    def __str__(self) -> str:
        return _placed(self.file, self.record, self.line, self.reason)


class ImportWarning(Record):
    """Something that was imported with a change, or was left as it is in the ledger."""

    record: int
    """The record's place in the file, from 1."""
    line: int | None
    """The line where the record begins."""
    reason: str
    file: str | None = None
    """The file, if the import read several."""

    def __str__(self) -> str:
        return _placed(self.file, self.record, self.line, self.reason)


def _placed(file: str | None, record: int, line: int | None, reason: str) -> str:
    place = [f"{file}"] if file else []
    if record:
        place.append(f"record {record}" if line is None else f"record {record}, line {line}")
    return ": ".join([*place, reason])


class Progress(Record):
    """How far an import has come."""

    bytes_read: int
    bytes_total: int
    conversations: int
    messages: int
    failures: int


class ImportReport(Record):
    """What an import did, or would do when `dry_run` is set."""

    format: Format
    """What the files are; `auto` if they are of several formats."""
    conversations: int
    """New conversations."""
    forks: int
    """Other ways that conversations went, each a new session as well."""
    messages: int
    """Messages that were added. Those that a fork has in common with its conversation are not counted again."""
    extended: int
    """Conversations that were there already, and got new messages or forks."""
    unchanged: int
    """Conversations that were there already, and had nothing new."""
    skipped: int
    """Conversations left out, with their forks, because a session of theirs was there already."""
    failed: int
    """How many conversations, unreadable lines or files failed."""
    failures: tuple[Failure, ...]
    """The first thousand of them."""
    warned: int
    """How many warnings there are."""
    warnings: tuple[ImportWarning, ...]
    """The first thousand of them: what was mended, stored without text, or differs from what is stored."""
    dry_run: bool
    session_ids: tuple[str, ...]
    """The first thousand sessions that were made, in the order of the file. Empty after a dry run."""
    files: int
    """How many files were read."""
    files_unchanged: int
    """Files of folders that were not read, because they have not changed since they were imported."""
    ignored: tuple[str, ...]
    """JSON files of a folder or an archive that are of no known format: the first thousand."""


class ExportReport(Record):
    """What an export has written."""

    sessions: int
    messages: int
