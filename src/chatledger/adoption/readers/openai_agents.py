"""OpenAI Agents: the tables of `SQLiteSession` and `SQLAlchemySession`, whose names the program may choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.readers.openai_items import Items, is_encrypted
from chatledger.adoption.source.database import Row, Source, quoted
from chatledger.adoption.source.json_values import kept
from chatledger.adoption.source.message_content import role_of
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.source.side_tables import Aside, remaining
from chatledger.adoption.source.timestamps import read_time
from chatledger.enums import Role, Status

_KEY = "t.session_id"
_SESSIONS = ("session_id", "created_at", "updated_at")
_MESSAGES = ("id", "session_id", "message_data", "created_at")
# What `AdvancedSQLiteSession` keeps beside: the messages of each branch, and the usage of each turn.
_STRUCTURE = "message_structure"
_OF_MESSAGE = "t.message_id"
# `quote` alone ends at a NUL, `hex` alone does not tell a number from its digits.
_OF_BRANCH = "quote(t.session_id) || hex(t.session_id) || quote(t.branch_id) || hex(t.branch_id)"
_BRANCH_KEY = "SELECT quote(:s) || hex(:s) || quote(:b) || hex(:b)"
_MAIN = "main"
_USAGE = Aside("turn_usage", _OF_BRANCH, "turn_usage")
# Names of branches that may not be used again, and how often a session was cleared.
_DERIVED = ("branch_reservations", "session_clear_generations")


class OpenAIAgents(Reader):
    layout = Layout.OPENAI_AGENTS
    said = "an OpenAI Agents session store"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return _pair(source) is not None

    def __init__(self, source: Source, *, dropping: bool) -> None:
        super().__init__(source, dropping=dropping)
        self._sessions, self._messages = _pair(source) or ("agent_sessions", "agent_messages")
        self._gone = f"NOT EXISTS (SELECT 1 FROM {quoted(self._sessions)} AS s WHERE s.session_id = {_KEY})"

    def tables(self) -> tuple[str, ...]:
        return (self._sessions, self._messages, _STRUCTURE, _USAGE.table, *_DERIVED)

    def derived(self) -> tuple[str, ...]:
        return _DERIVED

    def survey(self) -> None:
        self.note_rows("orphan_messages", self._messages, self._gone, "id")
        empty = f"NOT EXISTS (SELECT 1 FROM {quoted(self._messages)} AS m WHERE m.session_id = {_KEY})"
        self.note_rows("sessions_without_messages", self._sessions, empty, "session_id")
        for table in (_STRUCTURE, _USAGE.table):
            self.note_rows("orphan_rows", table, self._gone, "session_id")

    def sessions(self) -> Iterator[OldSession]:
        self.source.index(self._messages, _KEY)
        if _STRUCTURE in self.source.tables:
            self.source.index(_STRUCTURE, _OF_MESSAGE)
            self.source.index(_STRUCTURE, _OF_BRANCH)
        _USAGE.ready(self.source)
        for row in self.source.rows(self._sessions):
            session = self._session(row)
            yield session
            yield from self._branches(session, row["session_id"])
        yield from self._orphans()
        tables = [_STRUCTURE, _USAGE.table]
        yield from remaining(self, tables, dict.fromkeys(tables, self._gone))

    def _session(self, row: Row) -> OldSession:
        reading = self.read(row, kept(row["session_id"]))
        reading.raw("session_id")
        session = OldSession(
            source_id=name_of(row["session_id"], row),
            origin=str(row["created_at"]),
            fields={"created_at": reading.moment("created_at", needed=True)},
            messages=with_times(self._of_session(row["session_id"])),
            copied=[row],
        )
        _USAGE.keep(self.source, self._branch_key(row["session_id"], _MAIN), session, "session_id", "branch_id")
        session.as_found |= reading.as_found()
        return session

    def _orphans(self) -> Iterator[OldSession]:
        for session_id in self.source.keys(self._messages, _KEY):
            if self.source.count(self._sessions, "session_id IS ?", (session_id,)):
                continue
            if self.dropping:
                self.drop(self.source.found(self._messages, _KEY, session_id))
                continue
            first = next(self.source.found(self._messages, _KEY, session_id, "t.id"))
            session = OldSession(
                source_id=name_of(session_id, first),
                origin=f"orphans {first['id']} {first['created_at']}",
                fields={
                    "title": "Recovered: messages of a session that is gone",
                    "created_at": self.began(first, "created_at"),
                },
                messages=with_times(self._of_session(session_id)),
                status=Status.PAUSED,
                recovered="messages of a session that is gone",
            )
            _USAGE.keep(self.source, self._branch_key(session_id, _MAIN), session, "session_id", "branch_id")
            yield session
            yield from self._branches(session, session_id)

    def _of_session(self, session_id: Any) -> Iterator[OldMessage]:
        """The messages of a session, without those of its other branches only."""
        items = Items()
        for row in self.source.found(self._messages, _KEY, session_id, "t.id"):
            own = self._branches_of(row)
            if own and _MAIN not in own:
                continue
            yield from self._of_row(row, items, shared=len(own) > 1)

    def _branches_of(self, row: Row) -> set[Any]:
        found = self.source.found(_STRUCTURE, _OF_MESSAGE, row["id"])
        return {part["branch_id"] for part in found if part["session_id"] == row["session_id"]}

    def _branches(self, session: OldSession, session_id: Any) -> Iterator[OldSession]:
        """Each other branch of a session as a fork: a branch begins with the messages that it shares with another."""
        if _STRUCTURE not in self.source.tables:
            return
        sql = (
            f"SELECT branch_id, min(created_at) FROM {_STRUCTURE} WHERE session_id = ? GROUP BY branch_id ORDER BY 2, 1"
        )
        for branch, began in list(self.source.query(sql, (session_id,))):
            key = self._branch_key(session_id, branch)
            if branch == _MAIN:
                for part in self.source.found(_STRUCTURE, _OF_BRANCH, key):
                    self.source.settle(part, "derived")
                continue
            name = f"{session.source_id}/{branch}"
            self.notes.add("branches", _STRUCTURE, [kept(session_id), kept(branch)])
            found = read_time(began, self.source.zone)
            fork = OldSession(
                source_id=name,
                origin=session.origin,
                fields={"created_at": found.moment if found else None},
                metadata={"branch": kept(branch)},
                messages=with_times(self._of_branch(key)),
                fork_of=session,
            )
            _USAGE.keep(self.source, key, fork, "session_id", "branch_id")
            yield fork

    def _of_branch(self, key: Any) -> Iterator[OldMessage]:
        items = Items()
        seen: set[int] = set()
        for part in self.source.found(_STRUCTURE, _OF_BRANCH, key, "t.sequence_number, t.id"):
            found = self.source.rows(
                self._messages, "t.id IS ? AND t.session_id IS ?", (part["message_id"], part["session_id"])
            )
            row = next(found, None)
            if row is not None:  # else the row is kept with those that belong to no session
                self.source.settle(part, "derived")
                if row.rowid not in seen:
                    seen.add(row.rowid)
                    yield from self._of_row(row, items, shared=True)

    def _branch_key(self, session_id: Any, branch: Any) -> Any:
        return self.source.one(_BRANCH_KEY, {"s": session_id, "b": branch})[0]

    def _of_row(self, row: Row, items: Items, *, shared: bool) -> Iterator[OldMessage]:
        reading = self.read(row, kept(row["id"]))
        for column in ("id", "session_id"):
            reading.raw(column)
        item = reading.json("message_data", "invalid_json")
        at = reading.moment("created_at", needed=True)
        if item is None:  # unreadable: the text is shown, and kept as found
            fields: dict[str, Any] = {"role": Role.USER, "content": reading.text("message_data") or ""}
            yield OldMessage(row, {**fields, "created_at": at}, as_found=reading.as_found(), shared=shared)
            return
        self._note(item, reading)
        for number, fields in enumerate(items.messages(item)):
            part = f":{number + 1}" if number else ""
            as_found = {} if number else reading.as_found()
            yield OldMessage(row, {**fields, "created_at": at}, as_found=as_found, part=part, shared=shared)

    def _note(self, item: Any, reading: Reading) -> None:
        """Note what is stored otherwise than the item has it. The payload has the item in any case."""
        if is_encrypted(item):
            reading.note("encrypted")
        elif not isinstance(item, dict):
            reading.note("not_a_message")
        elif "role" in item and item["role"] not in list(Role):
            reading.note("other_role_word" if role_of(item["role"]) else "unknown_role")


def _pair(source: Source) -> tuple[str, str] | None:
    """The tables of sessions and of messages."""
    messages = [name for name, columns in source.tables.items() if set(columns) == set(_MESSAGES)]
    sessions = [name for name, columns in source.tables.items() if set(columns) == set(_SESSIONS)]
    return (sessions[0], messages[0]) if sessions and messages else None
