"""Conversation files into a ledger, one transaction for each conversation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

from chatledger.callbacks import callback
from chatledger.enums import Role, StateScope
from chatledger.errors import (
    ChatledgerError,
    CorruptDatabase,
    InvalidInput,
    ReadOnly,
    SchemaError,
    SessionExists,
    SessionNotFound,
    Unavailable,
)
from chatledger.exchange.batching import Misplaced, fork_messages, in_batches
from chatledger.exchange.copy_links import Copies
from chatledger.exchange.dry_run import try_fork, try_messages, try_session
from chatledger.exchange.files_read import FilesRead, FileState
from chatledger.exchange.formats import KNOWN, Format
from chatledger.exchange.known_sessions import Extension, extend, known_session
from chatledger.exchange.readers.agents.transcript import UNFINISHED
from chatledger.exchange.readers.conversation import Conversation, StateLine, Turn, Unreadable
from chatledger.exchange.readers.detection import UnknownFormat, reader
from chatledger.exchange.readers.json_file import PlainFile
from chatledger.exchange.readers.mending import Mender
from chatledger.exchange.report import NAMED, Failure, ImportReport, ImportWarning, Progress
from chatledger.exchange.resumed import ResumedSessions
from chatledger.exchange.session_import import write
from chatledger.exchange.sources import Source, sources
from chatledger.exchange.unread_text import is_unread
from chatledger.schemas import Session
from chatledger.schemas.fields import flags, several
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

OnConflict = Literal["update", "error", "skip", "new"]
"""What becomes of a conversation whose id exists already: extended, a failure, left out, or imported under a new id."""

# Seconds between two calls of `progress`, at least.
_PAUSE = 0.05
# Errors that the next conversation would meet as well.
_FATAL = (Unavailable, SchemaError, CorruptDatabase, ReadOnly)
# Numbers of messages that a warning names.
_NUMBERS = 10
# Characters of a title that is taken from a question.
_TITLE = 80


def import_file(
    ledger: Transactions,
    path: str | os.PathLike[str],
    *,
    format: Format | str = Format.AUTO,
    user_id: str | None = None,
    project_id: str | None = None,
    model_id: str | None = None,
    dry_run: bool = False,
    on_conflict: OnConflict = "update",
    strict: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Read a file of conversations into a ledger, in bounded memory. A ZIP archive or a folder is read file by file.

    Each conversation is one transaction: all of it is stored, with its forks, or nothing. One that cannot be read or
    stored is a failure in the report, and the others are imported all the same. Memory is bounded by the largest record
    of the file (a line, or an element of the outermost array; at most 256 MiB), not by its length: a list of messages
    and our own JSON Lines may go on for ever.

    Where messages have several answers, one way through them is the session, and each other way is a fork of it.

    A conversation that is there already, by its id in the file, is extended: messages and forks that are new are added,
    and what is stored stays as it is. Messages that differ are warnings in the report. Other values of `on_conflict`
    make it a failure, skip it, or store it under a new id.

    Characters that cannot be stored are replaced, and a message whose text is in a place that is not known is stored
    without it. Both are warnings; `strict` makes them failures.

    `user_id`, `project_id` and `model_id` replace what the file says, for new sessions. `dry_run` reads and checks
    everything and writes nothing; it cannot see that two conversations of the file have the same id.

    Raises:
        InvalidInput: the file cannot be read at all, or is of an unknown format or version.
        Unavailable, ReadOnly, SchemaError, CorruptDatabase: the ledger failed. What was imported until then stays.
    """
    return import_files(
        ledger, [path], format=format, user_id=user_id, project_id=project_id, model_id=model_id, dry_run=dry_run,
        on_conflict=on_conflict, strict=strict, progress=progress,
    )  # fmt: skip


def import_files(
    ledger: Transactions,
    paths: Iterable[str | os.PathLike[str]],
    *,
    format: Format | str = Format.AUTO,
    user_id: str | None = None,
    project_id: str | None = None,
    model_id: str | None = None,
    dry_run: bool = False,
    on_conflict: OnConflict = "update",
    strict: bool = False,
    reread: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Read several files, ZIP archives and folders into a ledger, each as `import_file` does, with one report.

    A file that cannot be read is a failure in the report, unless it is the only one. Of a folder or an archive, JSON
    files of unknown formats are left out, and named in the report. Files of a folder that have not changed since they
    were imported whole are not read again, unless `reread` is set.

    Raises:
        InvalidInput: a folder or an archive holds no JSON file, or the only file cannot be read.
        Unavailable, ReadOnly, SchemaError, CorruptDatabase: the ledger failed. What was imported until then stays.
    """
    work = Importer(
        ledger, format=format, user_id=user_id, project_id=project_id, model_id=model_id, dry_run=dry_run,
        on_conflict=on_conflict, strict=strict, reread=reread, progress=progress,
    )  # fmt: skip
    work.run(several(paths, "paths"))
    return work.report()


class Importer:
    """One import under way, with its counts, which are right whenever it is interrupted."""

    def __init__(
        self,
        ledger: Transactions,
        *,
        format: Format | str = Format.AUTO,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        dry_run: bool = False,
        on_conflict: OnConflict = "update",
        strict: bool = False,
        reread: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        flags(dry_run=dry_run, strict=strict, reread=reread)
        self._progress = callback(progress, "progress")
        if on_conflict not in get_args(OnConflict):
            raise InvalidInput("on_conflict", f"is not one of {', '.join(get_args(OnConflict))}")
        try:
            self._wanted = Format(format)
        except ValueError:
            raise InvalidInput("format", f"is not one of {', '.join(Format)}") from None
        given = {"user_id": user_id, "project_id": project_id, "model_id": model_id}
        self._fixed = {name: value for name, value in given.items() if value is not None}
        self._ledger, self._on_conflict, self._dry_run, self._strict = ledger, on_conflict, dry_run, strict
        # Nothing of a file is new that has not changed, but under a new id all of it is.
        self._read_before = FilesRead(ledger) if on_conflict == "update" and not reread else None
        self._reported_at = 0.0
        self._conversations = self._forks = self._messages = self._extended = self._unchanged = 0
        self._skipped = self._failed = self._warned = self._files = self._files_unchanged = 0
        self._bytes_before = self._bytes_total = 0
        self._pending = 0  # messages of the conversation that is being read
        self._unread: set[str] = set()  # of it, those whose text was not found
        self._failures: list[Failure] = []
        self._warnings: list[ImportWarning] = []
        self._ignored: list[str] = []
        self._session_ids: list[str] = []
        self._formats: list[Format] = []
        self._file: PlainFile | None = None
        self._name: str | None = None
        self._copies = Copies()
        self._left = False  # whether a part of the file was left for the next import
        self._first: str | None = None  # of the file's sessions, if they have ids
        # The session that was read last, by its id in the file, and where it is stored; None if it was not.
        self._above: tuple[str | None, str] | None = None
        # Sessions that were stored, and the sessions of the file that are their parents, with the place in the file.
        self._parents: list[tuple[str, str, Conversation]] = []

    def run(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Import files, folders and archives.

        Raises:
            InvalidInput, Unavailable, ReadOnly, SchemaError, CorruptDatabase: as `import_files`.
        """
        found = sources(paths)
        for source in found:
            self._name = None if len(found) == 1 else source.name
            self._run(source, only=len(found) == 1)
        if found and not self._files and not self._failed and not self._files_unchanged:
            raise InvalidInput("file", f"none of the {len(found)} JSON files is of a format that is read: {KNOWN}")

    def _run(self, source: Source, *, only: bool) -> None:
        before = self._failed
        self._begin_file()
        state = FileState.of(source.path) if source.is_watched and self._read_before is not None else None
        if self._read_before is not None and state is not None and self._read_before.has(state):
            self._files_unchanged += 1
            return
        self._read(source, only=only)
        whole = self._failed == before and not self._left and not self._dry_run
        if self._read_before is not None and state is not None and whole and self._first is not None:
            self._read_before.remember(state, self._first)

    def _begin_file(self) -> None:
        self._left, self._first = False, None

    def _read(self, source: Source, *, only: bool) -> None:
        mender = None if self._strict else Mender()
        try:
            with source.open(mender) as file:
                try:
                    self._format, conversations = reader(file, self._wanted, sure=not source.named)
                except UnknownFormat:
                    if source.named or only:
                        raise
                    self._ignored.append(source.name)
                    return
                if mender is not None:
                    mender.take()  # of what was read to find out the format, and will be read again
                self._files += 1
                self._file, self._copies = file, Copies()
                self._bytes_total = self._bytes_before + file.size
                if self._format not in self._formats:
                    self._formats.append(self._format)
                for conversation in conversations:
                    self.take(conversation, mender)
                self._link_parents()
                self._bytes_before += file.size
        except InvalidInput as error:
            if only:
                raise
            self._fail(Failure(record=0, line=None, reason=str(error)))

    def take(self, found: Conversation | StateLine | Failure, mender: Mender | None = None) -> None:
        """Import a conversation or state, or note why it could not be read."""
        self._unread = set()
        stored = False
        if isinstance(found, StateLine):
            stored = self._take_state(found)
        elif isinstance(found, Failure):
            self._above = None
            self._fail(found)
        else:
            stored = self._take(found)
        if mender is not None and (mended := mender.take()) and stored:
            for warning in mended:
                self._warn(warning)
        self._pending = 0
        self._report_progress()

    def report(self) -> ImportReport:
        """What was done until now."""
        self._report_progress(last=True)
        return ImportReport(
            format=self._formats[0] if len(self._formats) == 1 else Format.AUTO,
            conversations=self._conversations,
            forks=self._forks,
            messages=self._messages,
            extended=self._extended,
            unchanged=self._unchanged,
            skipped=self._skipped,
            failed=self._failed,
            failures=tuple(self._failures),
            warned=self._warned,
            warnings=tuple(self._warnings),
            dry_run=self._dry_run,
            session_ids=tuple(self._session_ids),
            files=self._files,
            files_unchanged=self._files_unchanged,
            ignored=tuple(self._ignored[:NAMED]),
        )

    def _take_state(self, found: StateLine) -> bool:
        """Store a value where there is none yet. Return whether it was stored."""
        given = self._fixed.get(f"{found.scope.value}_id", found.scope_id)
        if found.scope is StateScope.SESSION:
            if self._above is None or self._above[0] != found.scope_id:
                return False  # its session was left out, or could not be imported
            given = self._above[1]
        owner = {f"{found.scope.value}_id": given}

        def store(uow: UnitOfWork) -> bool:
            there = uow.state.find(found.key, **owner)
            if there is None:
                uow.state.set(found.key, found.value, **owner, expected_version=0)
            return there is None or there.value == found.value

        try:
            same = self._dry_run or self._ledger.run(store)
        except _FATAL:
            raise
        except ChatledgerError as error:
            self._fail(Failure(record=found.record, line=found.line, reason=str(error)))
            return False
        if not same:
            reason = (
                f"the state {found.key!r} of {found.scope.value} {given!r} differs from what is stored and stayed so"
            )
            self._warn(ImportWarning(record=found.record, line=found.line, reason=reason))
        return bool(same)

    def _take(self, conversation: Conversation) -> bool:
        """Import a conversation. Return whether anything of it was stored."""
        self._above = None
        conversation.fields |= self._fixed
        if self._strict and conversation.notes:
            self._fail(
                Failure(record=conversation.record, line=conversation.line, reason="; ".join(conversation.notes))
            )
            return False
        try:
            done = self._try(conversation) if self._dry_run else self._store(conversation)
            if not self._dry_run:
                self._attempt.keep()
        except _FATAL:
            raise
        except Unreadable as error:
            self._fail(error.failure)
        except SessionExists as error:
            if self._on_conflict == "skip":
                self._skipped += 1
            elif self._on_conflict == "update" and conversation.fields.get("session_id") == error.session_id:
                reason = f"session {error.session_id!r} exists and is another conversation: import it under a new id"
                self._fail(Failure(record=conversation.record, line=conversation.line, reason=reason))
            else:
                self._fail(conversation.failure(error))
        except Misplaced as error:
            self._fail(conversation.failure(error, error.line))
        except ChatledgerError as error:
            self._fail(conversation.failure(error))
        else:
            return self._count(conversation, done)
        return False

    def _count(self, conversation: Conversation, done: list[str] | Extension) -> bool:
        self._left = self._left or UNFINISHED in conversation.notes
        if self._first is None:
            self._first = conversation.fields.get("session_id")
        note = partial(ImportWarning, record=conversation.record, line=conversation.line)
        named = conversation.fields.get("session_id")
        if isinstance(done, Extension):
            made = done.made
            self._above = (named, named or "")
            is_new = bool(done.messages or made)
            self._extended += is_new
            self._unchanged += not is_new
            self._forks += len(made)
            self._messages += done.messages
            for session_id, numbers in done.changed.items():
                self._warn(note(reason=_changed(session_id, numbers)))
            if done.misplaced:
                reason = f"new messages that do not follow on those that are stored: {done.misplaced:,} were left out"
                self._warn(note(reason=reason))
        else:
            made, is_new = done, True
            self._above = (named, made[0] if made else named or "")
            if conversation.parent is not None and made:
                self._parents.append((made[0], conversation.parent, replace(conversation, messages=iter(()))))
            self._conversations += 1
            self._forks += len(conversation.forks)
            self._messages += self._pending
        if not self._dry_run:
            self._session_ids += made[: NAMED - len(self._session_ids)]
        for reason in conversation.notes:
            self._warn(note(reason=reason))
        if is_new and self._unread:
            places = ", ".join(sorted(self._unread)[:_NUMBERS])
            self._warn(note(reason=f"{_UNREAD}, and as they were in the payload: {places}"))
        return is_new

    def _store(self, conversation: Conversation) -> list[str] | Extension:
        first, second, rest = self._opened(conversation)
        if self._format is not Format.JSONL and conversation.fields.get("title") is None:
            conversation.fields["title"] = _title_from(first)
        if second is None:  # all of it is held, so that it can be tried again when the database is busy
            read = self._pending
            return self._ledger.run(lambda uow: self._write(uow, conversation, iter([first]), read))
        with self._ledger.begin() as uow:
            return self._write(uow, conversation, _chained(first, second, rest), self._pending)

    def _link_parents(self) -> None:
        """Give children their parents, which may have come after them in the file."""
        for session_id, named, conversation in self._parents:
            parent = self._copies.stored_as(named)
            try:
                self._ledger.run(lambda uow, one=session_id, above=parent: uow.sessions.update(one, parent=above))  # type: ignore[misc]
            except (InvalidInput, SessionNotFound) as error:
                reason = f"session {session_id!r} was stored without its parent: {error}"
                self._warn(ImportWarning(record=conversation.record, line=conversation.line, reason=reason))
        self._parents.clear()

    def _opened(self, conversation: Conversation) -> tuple[list[Turn], list[Turn] | None, Iterator[list[Turn]]]:
        """The first two batches, read before anything else is done, and the others."""
        batches = self._batches(conversation.messages)
        return next(batches, []), next(batches, None), batches

    def _write(
        self, uow: UnitOfWork, conversation: Conversation, batches: Iterator[list[Turn]], read: int
    ) -> list[str] | Extension:
        self._pending = read  # again: an attempt before this one may have read forks
        self._attempt = self._copies.attempt(self._resumed(conversation))
        if self._on_conflict == "update" and (session := known_session(uow, conversation)) is not None:
            return self._extend(uow, session, conversation, batches)
        renames = self._on_conflict == "new"
        return write(uow, conversation, batches, self._batches, self._attempt, renames=renames)

    def _resumed(self, conversation: Conversation) -> ResumedSessions | None:
        """Where messages of a conversation may be already. What is to be stored under a new id is no copy."""
        if not conversation.is_repeated or self._on_conflict == "new":
            return None
        return ResumedSessions(conversation.fields.get("project_id"), conversation.fields.get("user_id"))

    def _extend(
        self, uow: UnitOfWork, session: Session, conversation: Conversation, batches: Iterator[list[Turn]]
    ) -> Extension:
        # The batches that were read already, whenever the messages of the conversation are asked for.
        known = replace(conversation, messages=(turn for batch in batches for turn in batch))
        attempt = self._copies.attempt() if self._dry_run else self._attempt
        return extend(uow, session, known, in_batches, attempt, dry_run=self._dry_run)

    def _try(self, conversation: Conversation) -> list[str] | Extension:
        conflicts = self._on_conflict != "new"
        first, second, rest = self._opened(conversation)
        batches = _chained(first, second or [], rest)
        if self._on_conflict == "update":
            with self._ledger.read() as uow:
                if (session := known_session(uow, conversation)) is not None:
                    return self._extend(uow, session, conversation, batches)
        try_session(self._ledger, conversation.fields, conflicts=conflicts)
        _try_messages(batches, "messages")
        for number, fork in enumerate(conversation.forks):
            try_fork(self._ledger, fork, conflicts=conflicts)
            _try_messages(self._batches(fork.messages), fork_messages(number))
        return []

    def _batches(self, messages: Iterable[Turn]) -> Iterator[list[Turn]]:
        read = 0
        for batch in in_batches(messages):
            if self._format is not Format.JSONL:
                self._look_for_text(batch, read)
            read += len(batch)
            self._pending += len(batch)
            self._report_progress()
            yield batch

    def _look_for_text(self, batch: list[Turn], before: int) -> None:
        for number, turn in enumerate(batch, before):
            if is_unread(turn.message):
                if self._strict:
                    raise InvalidInput(f"messages[{number}]", "has its text in a place that is not known")
                self._unread.add(f"messages[{number}]")

    def _fail(self, failure: Failure) -> None:
        self._failed += 1
        if len(self._failures) < NAMED:
            self._failures.append(failure.model_copy(update={"file": self._name}))

    def _warn(self, warning: ImportWarning) -> None:
        self._warned += 1
        if len(self._warnings) < NAMED:
            self._warnings.append(warning.model_copy(update={"file": self._name}))

    def _report_progress(self, *, last: bool = False) -> None:
        if self._progress is None or self._file is None:
            return
        now = time.monotonic()
        if last or now - self._reported_at >= _PAUSE:
            self._reported_at = now
            read = 0 if self._file.closed else min(self._file.position, self._file.size)
            self._progress(
                Progress(
                    bytes_read=self._bytes_before + read,
                    bytes_total=self._bytes_total,
                    conversations=self._conversations,
                    messages=self._messages + self._pending,
                    failures=self._failed,
                )
            )


# What a warning says of messages without text.
_UNREAD = "messages whose text is in a place that is not known were stored without it"


def _changed(session_id: str, numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:_NUMBERS])) + (" and others" if len(numbers) > _NUMBERS else "")
    counted = "1 message differs" if len(numbers) == 1 else f"{len(numbers):,} messages differ"
    return f"{counted} from what is stored in session {session_id!r} and stayed as stored: {named}"


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
