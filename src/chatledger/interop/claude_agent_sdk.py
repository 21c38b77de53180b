"""Transcripts of the Claude Agent SDK: `pip install 'chatledger[claude-agent-sdk]'`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from chatledger.enums import Status
from chatledger.errors import InvalidInput, MissingExtra, SessionNotFound
from chatledger.interop.claude_entries import TranscriptWriter, stored_entries, titles_of
from chatledger.interop.escaping import escape, unescape
from chatledger.interop.ledgers import (
    AnyLedger,
    AwaitedLedger,
    OnClosed,
    checked_on_closed,
    continued,
    in_session,
    is_continuation,
    session_name,
)
from chatledger.schemas import Session
from chatledger.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from claude_agent_sdk.types import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )

#: Metadata of the sessions: what the SDK calls them.
_PROJECT, _TRANSCRIPT, _SUBPATH = "claude_project", "claude_session", "claude_subpath"
#: In the context of a main transcript: what the SDK lists of it.
_SUMMARY = "claude_summary"
#: Transcripts that a store remembers the last entries of.
_WRITERS = 256


class ChatledgerSessionStore:
    """A `SessionStore` of the Claude Agent SDK: its transcripts, in a ledger.

        store = ChatledgerSessionStore("sqlite:///chat.db", user_id="ada")
        options = ClaudeAgentOptions(session_store=store)

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Stores with the same URL share one ledger in a process.
    With `user_id`, only the sessions of that user exist.

    Each transcript is a session, named by its project key and its id, and the transcript of each subagent is a child of
    it; the parts of the name are in the metadata. Entries come back exactly as they were given. Each is also a message
    with a role and a text, with tool calls, results and thoughts in the form that `Message.tool_calls`,
    `Message.tool_result` and `Message.reasoning` read, and with model and tokens; entries that nobody said are hidden. An
    entry whose `uuid` is stored already is not stored again. Messages that other programs append to the session are
    entries, too.

    `on_closed` says what happens when a session is written to that is archived, expired or failed: "raise" raises
    `SessionClosed` (the SDK then gives up on these entries), "reopen" reopens it, and "fork" goes on in a copy, whose id
    is that of the session and `~2` (then `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: the Claude Agent SDK is not installed.
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
    ) -> None:
        try:
            from claude_agent_sdk import fold_session_summary  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtra("claude-agent-sdk", "a session store of the Claude Agent SDK") from None
        self._fold = fold_session_summary
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)
        self._writers: OrderedDict[str, TranscriptWriter] = OrderedDict()

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Append entries to a transcript, all or none. Those whose `uuid` is stored are left out.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
            InvalidInput: an entry has no JSON form.
        """
        project, transcript, subpath = _parts(key)
        if not entries:
            return
        session_id = _session_id(project, transcript, subpath)
        writer = self._writers.pop(session_id, TranscriptWriter())
        self._writers[session_id] = writer
        following = writer.copy()
        messages = following.messages(entries)

        def act(uow: UnitOfWork, current: str) -> None:
            uow.messages.append_many(current, messages, on_key="keep")
            if subpath is None:
                self._summarize(uow, current, key, entries)

        def add(uow: UnitOfWork) -> None:
            fields: dict[str, Any] = {"metadata": _metadata(project, transcript, subpath)}
            if subpath is not None:
                main = uow.sessions.get_or_create(
                    _session_id(project, transcript, None), metadata=_metadata(project, transcript, None)
                )
                fields["parent"] = main.session_id
            in_session(uow, session_id, lambda current: act(uow, current), on_closed=self._on_closed, fields=fields)

        await self._ledger.write(add)
        self._writers[session_id] = following
        if len(self._writers) > _WRITERS:
            self._writers.popitem(last=False)

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Return the entries of a transcript in their order, or None if there is no such transcript."""
        project, transcript, subpath = _parts(key)
        session_id = _session_id(project, transcript, subpath)

        def read(uow: UnitOfWork) -> list[Any]:
            try:
                current = continued(uow, session_id) if self._on_closed == "fork" else session_id
                return stored_entries(uow, current, transcript)
            except SessionNotFound:
                return []

        return await self._ledger.read(read) or None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Return the ids of a project's transcripts, with the milliseconds of their last activity."""
        found = await self._ledger.read(lambda uow: _main_transcripts(uow, project_key))
        listed: list[Any] = [{"session_id": name, "mtime": _mtime(session)} for name, session in found.items()]
        return listed

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """Return what the SDK lists of each transcript of a project, without reading the transcripts."""
        found = await self._ledger.read(lambda uow: _main_transcripts(uow, project_key))
        summaries: list[Any] = [
            {"session_id": name, "mtime": _mtime(session), "data": unescape(session.context[_SUMMARY])}
            for name, session in found.items()
            if _SUMMARY in session.context
        ]
        return summaries

    async def delete(self, key: SessionKey) -> None:
        """Delete a transcript with those of its subagents; with a `subpath`, that one alone.

        Raises:
            SessionHeld: one of the sessions is on hold. Nothing is deleted.
        """
        project, transcript, subpath = _parts(key)

        def delete(uow: UnitOfWork) -> None:
            found = _transcripts(uow, project, transcript)
            # Subagents first: they are children of the transcript, which takes its children along.
            for session in sorted(found, key=lambda one: _subpath(one) is None):
                if subpath is None or _subpath(session) == subpath:
                    uow.sessions.delete(session.session_id)

        await self._ledger.write(delete)

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Return the `subpath` of each transcript of a subagent."""
        project, transcript, _ = _parts(key)
        found = await self._ledger.read(lambda uow: _transcripts(uow, project, transcript))
        return sorted({path for session in found if (path := _subpath(session)) is not None})

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last store that uses it closes it."""
        await self._ledger.close()

    def _summarize(self, uow: UnitOfWork, session_id: str, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Fold entries into the summary. The append before has locked the session."""
        session = uow.sessions.get(session_id, include_expired=True)
        before = session.context.get(_SUMMARY)
        summary = None if before is None else {"session_id": key["session_id"], "mtime": 0, "data": unescape(before)}
        data = self._fold(summary, key, entries)["data"]
        if summary is None or data != summary["data"]:
            uow.sessions.update_context(session_id, {_SUMMARY: escape(data, "entries")})
        given, made = titles_of(entries)
        title = given or (made if session.title is None else None)
        if title is not None and title != session.title:
            uow.sessions.update(session_id, title=title)


def _parts(key: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """The project, the id and the path of a transcript.

    Raises:
        InvalidInput: the key is not one of the SDK.
    """
    names = ("project_key", "session_id", "subpath")
    if not isinstance(key, Mapping):
        raise InvalidInput("key", "must be a dict with a project_key and a session_id")
    project, transcript, subpath = (key.get(name) for name in names)
    for name, value in zip(names, (project, transcript, "path" if subpath is None else subpath), strict=True):
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"key.{name}", "must be a text that is not empty")
    assert isinstance(project, str)
    assert isinstance(transcript, str)
    return project, transcript, subpath


def _session_id(project: str, transcript: str, subpath: str | None) -> str:
    return session_name(*(part for part in (project, transcript, subpath) if part is not None))


def _metadata(project: str, transcript: str, subpath: str | None) -> dict[str, Any]:
    named = {_PROJECT: project, _TRANSCRIPT: transcript, _SUBPATH: subpath}
    return {name: escape(value, "key") for name, value in named.items() if value is not None}


def _transcripts(uow: UnitOfWork, project: str, transcript: str) -> list[Session]:
    """The sessions of a transcript and of its subagents, their forks by `on_closed` included."""
    found = uow.sessions.iterate(metadata=_metadata(project, transcript, None), status=tuple(Status))
    return [session for session in found if _is_transcript(session, project)]


def _main_transcripts(uow: UnitOfWork, project: str) -> dict[str, Session]:
    """The sessions of a project by what the SDK calls them: of a session and its forks, the one that was active last."""
    found: dict[str, Session] = {}
    for session in uow.sessions.iterate(metadata={_PROJECT: escape(project, "project_key")}):
        if session.message_count and _is_transcript(session, project) and _subpath(session) is None:
            found.setdefault(unescape(session.metadata[_TRANSCRIPT]), session)
    return found


def _is_transcript(session: Session, project: str) -> bool:
    """Whether a session is a transcript, and not a fork that a user has made of one."""
    transcript, subpath = unescape(session.metadata.get(_TRANSCRIPT)), _subpath(session)
    if not isinstance(transcript, str) or not (subpath is None or isinstance(subpath, str)):
        return False
    return is_continuation(session.session_id, _session_id(project, transcript, subpath))


def _subpath(session: Session) -> Any:
    return unescape(session.metadata.get(_SUBPATH))


def _mtime(session: Session) -> int:
    return int(session.last_activity.timestamp() * 1000)
