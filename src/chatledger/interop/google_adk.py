"""Sessions of Google ADK: `pip install 'chatledger[google-adk]'`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic_core import to_jsonable_python
from sqlalchemy.engine import URL

from chatledger.adoption.source.message_content import name_in
from chatledger.enums import Status
from chatledger.errors import InvalidInput, MissingExtra, SequenceConflict, SessionExists, SessionNotFound
from chatledger.interop.escaping import escape, unescape
from chatledger.interop.google_adk_events import prefix_of, stored_events, to_messages
from chatledger.interop.ledgers import (
    AnyLedger,
    AwaitedLedger,
    OnClosed,
    checked_on_closed,
    continuations,
    continued,
    in_session,
    is_continuation,
    session_name,
)
from chatledger.interop.state_entries import read_state, state_keys
from chatledger.interop.stored_items import dump_model
from chatledger.schemas import Session as StoredSession
from chatledger.unit_of_work import UnitOfWork

try:
    from google.adk.errors.already_exists_error import AlreadyExistsError
    from google.adk.errors.session_not_found_error import SessionNotFoundError
    from google.adk.events import Event
    from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig, ListSessionsResponse
    from google.adk.sessions.session import Session
except ImportError:
    raise MissingExtra("google-adk", "a session service of Google ADK") from None
try:
    from google.adk.errors._stale_session_error import StaleSessionError
except ImportError:  # older versions raise a plain ValueError
    StaleSessionError = ValueError

Self = TypeVar("Self", bound="ChatledgerSessionService")

#: Metadata of the sessions: what ADK calls them.
_SESSION = "adk_session"
_SCHEME = "chatledger+"


class ChatledgerSessionService(BaseSessionService):
    """A session service of Google ADK: its sessions, events and state, in a ledger.

        runner = Runner(agent=agent, app_name="trips", session_service=ChatledgerSessionService("sqlite:///chat.db"))

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Services with the same URL share one ledger in a process.
    The ledger is not limited to a user: ADK names the user in each call, and the state of an app is that of all users.

    An app is a project, and a session is named by app, user and id. Events come back as they were; each is also a message
    with a role and a text, with tool calls, results and thoughts in the form that `Message.tool_calls`,
    `Message.tool_result` and `Message.reasoning` read, and with model and tokens. Partial events are not stored. State
    of a session is its context, `app:` is state of the project and `user:` state of the user (`uow.state`), and `temp:`
    is not stored. A writer that has not read the newest event gets a `StaleSessionError`. Sessions of other programs in
    the project, and adopted ones, are sessions of ADK under their own ids.

    `on_closed` says what happens when an event is appended to a session that is archived, expired or failed: "raise"
    raises `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2`
    (then `~3`). Every process with "fork" reads and writes that copy from then on.

    In ADK's service registry the class is a factory for URIs such as `chatledger+sqlite:///chat.db`; in `services.yaml`,
    it is called with `uri` and the folder of the agents, which it does not need.

    Raises:
        MissingExtra: at the import, if Google ADK is not installed.
        InvalidInput: an argument is not valid, or the ledger is limited to a user.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL | None = None,
        *,
        uri: str | None = None,
        on_closed: OnClosed = "raise",
        agents_dir: str | None = None,  # noqa: ARG002 - passed by the service registry
    ) -> None:
        given = uri if ledger_or_url is None else ledger_or_url
        if given is None or (uri is not None and ledger_or_url is not None):
            raise InvalidInput("ledger_or_url", "give a ledger or a URL, or the `uri` of the service registry")
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(given.removeprefix(_SCHEME) if isinstance(given, str) else given, None)
        if self._ledger.user_id is not None:
            raise InvalidInput("ledger_or_url", "is limited to a user: the state of an app is that of all users")

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        """Create a session, with state of each scope.

        Raises:
            AlreadyExistsError: the user has a session of this id in the app.
            InvalidInput: a user id that cannot be stored.
        """
        named = session_id.strip() if session_id else ""
        named = named or str(uuid4())
        delta = to_jsonable_python(state or {}, inf_nan_mode="constants", serialize_unknown=True)

        def create(uow: UnitOfWork) -> Session:
            if self._find(uow, app_name, user_id, named) is not None:
                raise SessionExists(named)
            created = uow.sessions.create(
                session_name(app_name, user_id, named),
                user_id=user_id,
                project_id=_project(app_name),
                context=state_keys(_own(delta)),
                metadata={_SESSION: escape(named, "session_id")},
            )
            _store_scoped(uow, app_name, user_id, delta)
            return _session(uow, created, named, app_name)

        try:
            return await self._ledger.write(create)
        except SessionExists:
            raise AlreadyExistsError(f"Session with id {named} already exists.") from None

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Return a session with its events and its state, or None."""
        named = session_id.strip()
        limit = None if config is None else config.num_recent_events
        after = None if config is None else config.after_timestamp

        def read(uow: UnitOfWork) -> Session | None:
            stored = self._find(uow, app_name, user_id, named)
            if stored is None:
                return None
            session = _session(uow, stored, named, app_name)
            events = [] if limit == 0 else stored_events(uow, stored.session_id, limit)
            session.events = [
                Event.model_validate(event) for event in events if after is None or event["timestamp"] >= after
            ]
            if session.events and after is None:
                session.last_update_time = session.events[-1].timestamp
            return session

        return await self._ledger.read(read)

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Return the sessions of an app, or of one user in it, without events: those with the newest activity last."""

        def read(uow: UnitOfWork) -> list[Session]:
            found: dict[tuple[str, str], StoredSession] = {}
            for stored in uow.sessions.iterate(project_id=_project(app_name), user_id=user_id):
                if stored.user_id is not None:
                    found.setdefault((stored.user_id, _named(stored, app_name)), stored)
            scoped = _Scoped(uow, app_name)
            return [_with_state(stored, id_, app_name, scoped) for (_, id_), stored in found.items()]

        sessions = await self._ledger.read(read)
        sessions.sort(key=lambda session: (session.last_update_time, session.user_id, session.id))
        return ListSessionsResponse(sessions=sessions)

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Delete a session with its events, and with its forks by `on_closed`. One that does not exist is no error.

        Raises:
            SessionHeld: the session is on hold. Nothing is deleted.
        """
        named = session_id.strip()

        def delete(uow: UnitOfWork) -> None:
            first = self._find(uow, app_name, user_id, named, going_on=False, include_expired=True)
            for id_ in () if first is None else continuations(uow, first.session_id):
                uow.sessions.delete(id_)

        await self._ledger.write(delete)

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """Return the state of a user in an app, by keys without `user:`."""
        return await self._ledger.read(lambda uow: _Scoped(uow, app_name).of_user(user_id))

    async def append_event(self, session: Session, event: Event) -> Event:
        """Append an event to a session, with the state that it changes, in one transaction. A partial event is returned
        as it is.

        Raises:
            StaleSessionError: the session has newer messages than `session`. Nothing is stored.
            SessionNotFoundError: there is no such session.
            SessionClosed: the session is closed, and `on_closed` is "raise".
        """
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        dumped = dump_model(event, exclude_none=True)
        delta = (dumped.get("actions") or {}).get("state_delta") or {}
        messages = to_messages(dumped)
        read = session._storage_update_marker
        expected = int(read) + 1 if read is not None else None

        def append(uow: UnitOfWork, current: str) -> int:
            stored = uow.messages.append_many(current, messages, expected_sequence=expected, on_key="keep")
            if own := state_keys(_own(delta)):
                uow.sessions.update_context(current, own)
            _store_scoped(uow, session.app_name, session.user_id, delta)
            return stored[-1].sequence_number

        def write(uow: UnitOfWork) -> int:
            found = self._find(uow, session.app_name, session.user_id, session.id, going_on=False, include_expired=True)
            name = session_name(session.app_name, session.user_id, session.id) if found is None else found.session_id
            return in_session(uow, name, lambda id_: append(uow, id_), on_closed=self._on_closed, create=False)

        try:
            last = await self._ledger.write(write)
        except SequenceConflict:
            raise StaleSessionError(
                "The session has been modified in storage since it was loaded. Reload it before appending more events."
            ) from None
        except SessionNotFound:
            raise SessionNotFoundError(f"Session {session.id} not found.") from None
        session._storage_update_marker = str(last)
        session.last_update_time = event.timestamp
        return await super().append_event(session, event)  # in memory

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last service that uses it closes it."""
        await self._ledger.close()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _find(
        self,
        uow: UnitOfWork,
        app: str,
        user: str,
        named: str,
        *,
        going_on: bool = True,
        include_expired: bool = False,
    ) -> StoredSession | None:
        """The session that ADK knows by these names: ours, or one of the user in the project that has the id itself."""
        name = session_name(app, user, named)
        found = uow.sessions.find(name, include_expired=True)
        if found is None and name_in(named):
            other = uow.sessions.find(named, include_expired=True)
            if other is not None and (other.user_id, other.project_id) == (user, _project(app)):
                found = other
        if found is not None and going_on and self._on_closed == "fork":
            found = uow.sessions.find(continued(uow, found.session_id), include_expired=True)
        if found is None or (found.status is Status.EXPIRED and not include_expired):
            return None
        return found


class _Scoped:
    """The state of an app, and of users in it, each read once."""

    def __init__(self, uow: UnitOfWork, app: str) -> None:
        self._uow, self._app = uow, app
        self._users: dict[str, dict[str, Any]] = {}
        entries = uow.state.all(project_id=_project(app))
        self.of_app = read_state((entry.key, entry.value) for entry in entries)

    def of_user(self, user: str) -> dict[str, Any]:
        if user not in self._users:
            entries = self._uow.state.all(user_id=user)
            self._users[user] = read_state(((entry.key, entry.value) for entry in entries), prefix_of(self._app))
        return self._users[user]


def _store_scoped(uow: UnitOfWork, app: str, user: str, delta: Mapping[str, Any]) -> None:
    if of_app := _scope(delta, "app:"):
        uow.state.update(state_keys(of_app), project_id=_project(app))
    if of_user := _scope(delta, "user:"):
        uow.state.update(state_keys(of_user, prefix_of(app)), user_id=user)


def _scope(delta: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in delta.items() if key.startswith(prefix)}


def _own(delta: Mapping[str, Any]) -> dict[str, Any]:
    """What is state of the session alone."""
    return {key: value for key, value in delta.items() if not key.startswith(("app:", "user:", "temp:"))}


def _session(uow: UnitOfWork, stored: StoredSession, named: str, app: str) -> Session:
    return _with_state(stored, named, app, _Scoped(uow, app))


def _with_state(stored: StoredSession, named: str, app: str, scoped: _Scoped) -> Session:
    user = stored.user_id or ""
    state = read_state(stored.context.items())
    state |= {f"app:{key}": value for key, value in scoped.of_app.items()}
    state |= {f"user:{key}": value for key, value in scoped.of_user(user).items()}
    session = Session(
        id=named, app_name=app, user_id=user, state=state, last_update_time=stored.last_activity.timestamp()
    )
    session._storage_update_marker = str(stored.last_sequence)
    return session


def _named(stored: StoredSession, app: str) -> str:
    """What ADK calls a session: its id in ADK, or that of another program's."""
    named = unescape(stored.metadata.get(_SESSION))
    ours = isinstance(named, str) and is_continuation(stored.session_id, session_name(app, stored.user_id or "", named))
    return str(named) if ours else stored.session_id


def _project(app: str) -> str:
    """The project of an app: its name, unless a project cannot be called so."""
    return app if name_in(app) else session_name(app)
