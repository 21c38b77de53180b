"""Conversation files into a ledger, one transaction for each conversation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

from chatledger.callbacks import callback
from chatledger.enums import Role
from chatledger.errors import (
    ChatledgerError,
    CorruptDatabase,
    InvalidInput,
    ReadOnly,
    SchemaError,
    SessionExists,
    Unavailable,
)
from chatledger.exchange.batching import Misplaced, fork_messages, in_batches
from chatledger.exchange.copy_links import Copies
from chatledger.exchange.dry_run import try_fork, try_messages, try_session
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.conversation import Conversation, Turn, Unreadable
from chatledger.exchange.readers.detection import reader
from chatledger.exchange.readers.json_file import PlainFile
from chatledger.exchange.report import NAMED, Failure, ImportReport, Progress
from chatledger.exchange.session_import import write
from chatledger.schemas.fields import file_path, flags
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

OnConflict = Literal["error", "skip", "new"]
"""What becomes of a conversation whose id exists already: a failure, left out, or imported under a new id."""

#: Seconds between two calls of `progress`, at least.
_PAUSE = 0.05
#: Errors that the next conversation would meet as well.
_FATAL = (Unavailable, SchemaError, CorruptDatabase, ReadOnly)


def import_file(
    ledger: Transactions,
    path: str | os.PathLike[str],
    *,
    format: Format | str = Format.AUTO,
    user_id: str | None = None,
    project_id: str | None = None,
    model_id: str | None = None,
    dry_run: bool = False,
    on_conflict: OnConflict = "error",
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Read a file of conversations into a ledger, in bounded memory.

    Each conversation is one transaction: all of it is stored, with its forks, or nothing. One that cannot be read or
    stored is a failure in the report, and the others are imported all the same. Memory is bounded by the largest record
    of the file (a line, or an element of the outermost array; at most 256 MiB), not by its length: a list of messages
    and our own JSON Lines may go on for ever.

    Where messages have several answers, one way through them is the session, and each other way is a fork of it.

    `user_id`, `project_id` and `model_id` replace what the file says. When the file names a session that is there
    already, `on_conflict` says whether that is a failure, is passed over, or is stored under a new id. `dry_run` reads
    and checks everything and writes nothing; it cannot see that two conversations of the file have the same id.

    Raises:
        InvalidInput: the file cannot be read at all, or is of an unknown format or version.
        Unavailable, ReadOnly, SchemaError, CorruptDatabase: the ledger failed. What was imported until then stays.
    """
    flags(dry_run=dry_run)
    progress = callback(progress, "progress")
    if on_conflict not in get_args(OnConflict):
        raise InvalidInput("on_conflict", f"is not one of {', '.join(get_args(OnConflict))}")
    try:
        wanted = Format(format)
    except ValueError:
        raise InvalidInput("format", f"is not one of {', '.join(Format)}") from None
    given = {"user_id": user_id, "project_id": project_id, "model_id": model_id}
    fixed = {name: value for name, value in given.items() if value is not None}
    with PlainFile(file_path(path)) as file:
        found, conversations = reader(file, wanted)
        work = _Import(ledger, file, found, fixed, on_conflict, dry_run, progress)
        for conversation in conversations:
            work.take(conversation)
        return work.report()


#: Characters of a title that is taken from a question.
_TITLE = 80


class _Import:
    """One import under way, with its counts."""

    def __init__(
        self,
        ledger: Transactions,
        file: PlainFile,
        found: Format,
        fixed: dict[str, Any],
        on_conflict: OnConflict,
        dry_run: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._ledger, self._file, self._format = ledger, file, found
        self._fixed, self._on_conflict, self._dry_run = fixed, on_conflict, dry_run
        self._progress, self._reported_at = progress, 0.0
        self._conversations = self._forks = self._messages = self._skipped = self._failed = 0
        self._pending = 0  # messages of the conversation that is being read
        self._failures: list[Failure] = []
        self._session_ids: list[str] = []
        self._copies = Copies()

    def take(self, found: Conversation | Failure) -> None:
        if isinstance(found, Failure):
            self._fail(found)
        else:
            self._take(found)
        self._pending = 0
        self._report_progress()

    def report(self) -> ImportReport:
        self._report_progress(last=True)
        return ImportReport(
            format=self._format,
            conversations=self._conversations,
            forks=self._forks,
            messages=self._messages,
            skipped=self._skipped,
            failed=self._failed,
            failures=tuple(self._failures),
            dry_run=self._dry_run,
            session_ids=tuple(self._session_ids),
        )

    def _take(self, conversation: Conversation) -> None:
        conversation.fields |= self._fixed
        try:
            if self._dry_run:
                self._try(conversation)
            else:
                made = self._store(conversation)
                self._attempt.keep()
                self._session_ids += made[: NAMED - len(self._session_ids)]
        except _FATAL:
            raise
        except Unreadable as error:
            self._fail(error.failure)
        except SessionExists as error:
            if self._on_conflict == "skip":
                self._skipped += 1
            else:
                self._fail(conversation.failure(error))
        except Misplaced as error:
            self._fail(conversation.failure(error, error.line))
        except ChatledgerError as error:
            self._fail(conversation.failure(error))
        else:
            self._conversations += 1
            self._forks += len(conversation.forks)
            self._messages += self._pending

    def _store(self, conversation: Conversation) -> list[str]:
        first, second, rest = self._opened(conversation)
        if self._format is not Format.JSONL and conversation.fields.get("title") is None:
            conversation.fields["title"] = _title_from(first)
        if second is None:  # all of it is held, so that it can be tried again when the database is busy
            read = self._pending
            return self._ledger.run(lambda uow: self._write(uow, conversation, iter([first]), read))
        with self._ledger.begin() as uow:
            return self._write(uow, conversation, _chained(first, second, rest), self._pending)

    def _opened(self, conversation: Conversation) -> tuple[list[Turn], list[Turn] | None, Iterator[list[Turn]]]:
        """The first two batches, read before anything else is done, and the others."""
        batches = self._batches(conversation.messages)
        return next(batches, []), next(batches, None), batches

    def _write(
        self, uow: UnitOfWork, conversation: Conversation, batches: Iterator[list[Turn]], read: int
    ) -> list[str]:
        self._pending = read  # again: an attempt before this one may have read forks
        self._attempt = self._copies.attempt()
        renames = self._on_conflict == "new"
        return write(uow, conversation, batches, self._batches, self._attempt, renames=renames)

    def _try(self, conversation: Conversation) -> None:
        conflicts = self._on_conflict != "new"
        first, second, rest = self._opened(conversation)
        try_session(self._ledger, conversation.fields, conflicts=conflicts)
        _try_messages(_chained(first, second or [], rest), "messages")
        for number, fork in enumerate(conversation.forks):
            try_fork(self._ledger, fork, conflicts=conflicts)
            _try_messages(self._batches(fork.messages), fork_messages(number))

    def _batches(self, messages: Iterable[Turn]) -> Iterator[list[Turn]]:
        for batch in in_batches(messages):
            self._pending += len(batch)
            self._report_progress()
            yield batch

    def _fail(self, failure: Failure) -> None:
        self._failed += 1
        if len(self._failures) < NAMED:
            self._failures.append(failure)

    def _report_progress(self, *, last: bool = False) -> None:
        if self._progress is None:
            return
        now = time.monotonic()
        if last or now - self._reported_at >= _PAUSE:
            self._reported_at = now
            self._progress(
                Progress(
                    bytes_read=min(self._file.position, self._file.size),
                    bytes_total=self._file.size,
                    conversations=self._conversations,
                    messages=self._messages + self._pending,
                    failures=self._failed,
                )
            )


def _try_messages(batches: Iterable[list[Turn]], among: str) -> None:
    stored = 0
    for batch in batches:
        try:
            try_messages([turn.message for turn in batch])
        except InvalidInput as error:
            raise Misplaced.of(error, batch, stored, among) from None
        stored += len(batch)


def _chained(first: list[Turn], second: list[Turn], rest: Iterator[list[Turn]]) -> Iterator[list[Turn]]:
    yield first
    yield second
    yield from rest


def _title_from(turns: list[Turn]) -> str | None:
    """What lists show of a conversation that came without a title: the first line of the first question."""
    messages = (turn.message for turn in turns)
    asked = (message.content for message in messages if message.role is Role.USER and not message.hidden)
    line = next((line for text in asked for line in text.splitlines() if line.strip()), "").strip()
    return (line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip()}…") or None
