"""Sessions of Strands Agents: `pip install 'chatledger[strands]'`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from chatledger.enums import Status
from chatledger.errors import KeyReused, MissingExtra, SessionExists, SessionNotFound
from chatledger.interop.escaping import escape, unescape
from chatledger.interop.ledgers import (
    AnyLedger,
    OnClosed,
    SynchronousLedger,
    checked_on_closed,
    continued,
    in_session,
    is_continuation,
    session_name,
)
from chatledger.interop.state_entries import read_state, state_keys
from chatledger.interop.stored_items import store_item
from chatledger.interop.strands_messages import messages_of, stored_messages, to_messages
from chatledger.unit_of_work import UnitOfWork

try:
    from strands.session.session_repository import SessionRepository
    from strands.types.exceptions import SessionException
    from strands.types.session import Session, SessionAgent, SessionMessage, SessionType
except ImportError:
    raise MissingExtra("strands", "a session repository of Strands Agents") from None

R = TypeVar("R")

#: Metadata of the sessions: what Strands calls them.
_SESSION, _AGENT = "strands_session", "strands_agent"
#: In the context: what Strands stores of a session or an agent beside the messages.
_STORED = "strands"
#: In front of the ids of multi-agents, which are state of the session.
_MULTI_AGENT = "multi_agent/"


class ChatledgerSessionRepository(SessionRepository):
    """A `SessionRepository` of Strands Agents: its sessions, agents and messages, in a ledger.

        repository = ChatledgerSessionRepository("sqlite:///chat.db", user_id="ada")
        manager = RepositorySessionManager(session_id="trip", session_repository=repository)
        agent = Agent(model=model, session_manager=manager)

    `ledger_or_url` is a `Ledger`, an `AsyncLedger` or a URL. Repositories with the same URL share one ledger in a
    process. With `user_id`, only the sessions of that user exist.

    Each agent of a session is a session of the ledger, whose context is the state of the agent; so is the Strands session
    itself, with the state of multi-agents (`uow.state`). Messages come back exactly as they were given; each is also a
    message with a role and a text, with tool calls, results and thoughts in the form that `Message.tool_calls`,
    `Message.tool_result` and `Message.reasoning` read, and with tokens. A message that Strands redacts has the text that
    Strands puts in its place. Messages of other programs in the session of an agent are messages of the agent, too.

    `on_closed` says what happens when an agent is written to whose session is archived, expired or failed: "raise" raises
    `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2` (then
    `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: at the import, if Strands Agents is not installed.
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
    ) -> None:
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = SynchronousLedger(ledger_or_url, user_id)
        self._tools: dict[str, str] = {}

    def create_session(self, session: Session, **_: Any) -> Session:
        """Create a session.

        Raises:
            SessionException: it exists, or the ledger has a session of another user or program with this id.
        """
        id_ = session.session_id
        fields: dict[str, Any] = {
            "metadata": _metadata(id_),
            "context": {_STORED: escape(session.to_dict(), "session")},
        }
        try:
            self._write(lambda uow: uow.sessions.create(session_name(id_), **fields))
        except SessionExists:
            raise SessionException(f"Session {id_} already exists") from None
        return session

    def read_session(self, session_id: str, **_: Any) -> Session | None:
        """Return a session, or None."""

        def read(uow: UnitOfWork) -> dict[str, Any] | None:
            found = uow.sessions.find(session_name(session_id), include_expired=True)
            if found is not None and _STORED in found.context:
                return dict(unescape(found.context[_STORED]))
            if found is None and not _agents(uow, session_id):
                return None
            # Another program's; or one that was purged, because nobody speaks in it, and its agents were not.
            return dict(Session(session_id=session_id, session_type=SessionType.AGENT).to_dict())

        found = self._read(read)
        return None if found is None else Session.from_dict(found)

    def delete_session(self, session_id: str, **_: Any) -> None:
        """Delete a session with its agents, their messages and their forks by `on_closed`.

        Raises:
            SessionException: there is no such session.
            SessionHeld: one of the sessions is on hold. Nothing is deleted.
        """

        def delete(uow: UnitOfWork) -> None:
            agents, name = _agents(uow, session_id), session_name(session_id)
            for id_ in agents:
                uow.sessions.delete(id_)
            if not agents or uow.sessions.find(name, include_expired=True) is not None:
                uow.sessions.delete(name)

        self._write(delete)

    def create_agent(self, session_id: str, session_agent: SessionAgent, **_: Any) -> None:
        """Store an agent of a session, in place of one with the same id.

        Raises:
            SessionClosed: its session is closed, and `on_closed` is "raise".
            SessionExists: the session is another user's.
        """
        id_ = session_agent.agent_id
        fields = {"metadata": _metadata(session_id, id_)}

        def create(uow: UnitOfWork) -> None:
            uow.sessions.get_or_create(session_name(session_id), metadata=_metadata(session_id))
            self._in_agent(uow, session_id, id_, _storing(uow, session_agent), create=True, fields=fields)

        self._write(create)

    def read_agent(self, session_id: str, agent_id: str, **_: Any) -> SessionAgent | None:
        """Return an agent, or None."""
        found = self._read(lambda uow: uow.sessions.find(self._current(uow, session_id, agent_id)))
        if found is None or _STORED not in found.context:
            return None
        return SessionAgent.from_dict(unescape(found.context[_STORED]))

    def update_agent(self, session_id: str, session_agent: SessionAgent, **_: Any) -> None:
        """Store the state of an agent.

        Raises:
            SessionException: there is no such agent.
            SessionClosed: its session is closed, and `on_closed` is "raise".
        """

        def update(uow: UnitOfWork) -> None:
            current = self._current(uow, session_id, session_agent.agent_id)
            before = unescape(uow.sessions.get(current, include_expired=True).context.get(_STORED))
            if isinstance(before, dict) and "created_at" in before:
                session_agent.created_at = before["created_at"]
            self._in_agent(uow, session_id, session_agent.agent_id, _storing(uow, session_agent))

        self._write(update)

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **_: Any) -> None:
        """Append a message.

        Raises:
            SessionException: there is no such agent, or it has another message with this id, which another process
                has appended meanwhile.
            SessionClosed: as `update_agent`.
        """
        messages = to_messages(session_message.to_dict(), self._tools)

        def append(uow: UnitOfWork, current: str) -> None:
            uow.messages.append_many(current, messages)

        try:
            self._write(lambda uow: self._in_agent(uow, session_id, agent_id, lambda id_: append(uow, id_)))
        except KeyReused:
            raise SessionException(f"Message {session_message.message_id} exists, with another content") from None

    def read_message(self, session_id: str, agent_id: str, message_id: int, **_: Any) -> SessionMessage | None:
        """Return a message, or None."""

        def read(uow: UnitOfWork) -> dict[str, Any] | None:
            try:
                current = self._current(uow, session_id, agent_id)
                found = uow.messages.find(current, key=str(message_id))
            except SessionNotFound:
                return None
            return None if found is None else messages_of([found])[0]

        found = self._read(read)
        return None if found is None else SessionMessage.from_dict(found)

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **_: Any) -> None:
        """Store a message in place of the one with its id, such as one that Strands has redacted.

        Raises:
            SessionException: there is no such message.
            SessionClosed: as `update_agent`.
        """
        before = self.read_message(session_id, agent_id, session_message.message_id)
        if before is None:
            raise SessionException(f"Message {session_message.message_id} does not exist")
        session_message.created_at = before.created_at
        messages = to_messages(session_message.to_dict())
        self._write(lambda uow: self._in_agent(uow, session_id, agent_id, lambda id_: store_item(uow, id_, messages)))

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **_: Any
    ) -> list[SessionMessage]:
        """Return the messages of an agent in their order, `offset` left out at the start.

        Raises:
            SessionException: there is no such agent.
        """
        found = self._read(lambda uow: stored_messages(uow, self._current(uow, session_id, agent_id)))
        chosen = found[offset:] if limit is None else found[offset : offset + limit]
        return [SessionMessage.from_dict(message) for message in chosen]

    def create_multi_agent(self, session_id: str, multi_agent: Any, **_: Any) -> None:
        """Store the state of a multi-agent, in place of one with the same id."""
        state, name = (
            state_keys({multi_agent.id: multi_agent.serialize_state()}, _MULTI_AGENT),
            session_name(session_id),
        )

        def create(uow: UnitOfWork) -> None:
            uow.sessions.get_or_create(name, metadata=_metadata(session_id))
            uow.state.update(state, session_id=name)

        self._write(create)

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **_: Any) -> dict[str, Any] | None:
        """Return the state of a multi-agent, or None."""
        (key,) = state_keys({multi_agent_id: None}, _MULTI_AGENT)

        def read(uow: UnitOfWork) -> Any:
            try:
                return uow.state.find(key, session_id=session_name(session_id))
            except SessionNotFound:
                return None

        found = self._read(read)
        if found is None:
            return None
        (state,) = read_state([(key, found.value)], _MULTI_AGENT).values()
        return dict(state)

    def update_multi_agent(self, session_id: str, multi_agent: Any, **_: Any) -> None:
        """Store the state of a multi-agent.

        Raises:
            SessionException: there is no such session or multi-agent.
        """
        if self.read_multi_agent(session_id, multi_agent.id) is None:
            raise SessionException(f"MultiAgent state {multi_agent.id} in session {session_id} does not exist")
        self.create_multi_agent(session_id, multi_agent)

    def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last repository that uses it closes it."""
        self._ledger.close()

    def _in_agent(
        self,
        uow: UnitOfWork,
        session_id: str,
        agent_id: str,
        act: Callable[[str], None],
        *,
        create: bool = False,
        fields: dict[str, Any] | None = None,
    ) -> None:
        name = session_name(session_id, agent_id)
        in_session(uow, name, act, on_closed=self._on_closed, create=create, fields=fields)

    def _current(self, uow: UnitOfWork, session_id: str, agent_id: str) -> str:
        name = session_name(session_id, agent_id)
        return continued(uow, name) if self._on_closed == "fork" else name

    def _read(self, work: Callable[[UnitOfWork], R]) -> R:
        try:
            return self._ledger.view(work)
        except SessionNotFound as error:
            raise SessionException(f"Session {error.session_id} does not exist") from None

    def _write(self, work: Callable[[UnitOfWork], R]) -> R:
        try:
            return self._ledger.run(work)
        except SessionNotFound as error:
            raise SessionException(f"Session {error.session_id} does not exist") from None


def _storing(uow: UnitOfWork, agent: SessionAgent) -> Callable[[str], None]:
    def store(current: str) -> None:
        uow.sessions.get(current, include_expired=True)
        uow.sessions.update_context(current, {_STORED: escape(agent.to_dict(), "agent")})

    return store


def _metadata(session_id: str, agent_id: str | None = None) -> dict[str, Any]:
    named = {_SESSION: session_id, _AGENT: agent_id}
    return {name: escape(value, "session_id") for name, value in named.items() if value is not None}


def _agents(uow: UnitOfWork, session_id: str) -> list[str]:
    """The ids of the sessions of agents, with their forks by `on_closed`, and without those that a user has made."""
    found = []
    for session in uow.sessions.iterate(metadata=_metadata(session_id), status=tuple(Status)):
        agent = unescape(session.metadata.get(_AGENT))
        if isinstance(agent, str) and is_continuation(session.session_id, session_name(session_id, agent)):
            found.append(session.session_id)
    return found
