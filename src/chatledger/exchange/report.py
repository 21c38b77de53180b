"""What an import and an export say of themselves."""

from __future__ import annotations

from chatledger.exchange.formats import Format
from chatledger.schemas.fields import Record

#: Failures and session ids that a report names; the counts beside them go on.
NAMED = 1000


class Failure(Record):
    """A part of a file that was not imported. The reason names fields and places, never what they hold."""

    #: The record's place in the file, from 1.
    record: int
    #: The line where the record, or the message at fault, begins.
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = f"record {self.record}" if self.line is None else f"record {self.record}, line {self.line}"
        return f"{place}: {self.reason}"


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
    conversations: int
    #: Other ways that these conversations went, each a session as well.
    forks: int
    #: Those that a fork has in common with its conversation are not counted again.
    messages: int
    #: Conversations left out, with their forks, because a session of theirs was there already.
    skipped: int
    #: How many conversations (or unreadable lines) failed.
    failed: int
    #: The first thousand of them.
    failures: tuple[Failure, ...]
    dry_run: bool
    #: The first thousand sessions that were made, in the order of the file. Empty after a dry run.
    session_ids: tuple[str, ...]


class ExportReport(Record):
    """What an export has written."""

    sessions: int
    messages: int
