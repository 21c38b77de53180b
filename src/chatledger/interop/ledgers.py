"""The ledger of an adapter: one that the program has opened, of either kind, or the one of a URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from sqlalchemy.engine import URL

from chatledger.aio.bridge import call_in_thread, result_of
from chatledger.aio.ledger import AsyncLedger
from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.errors import InvalidInput, LedgerClosed, SessionClosed, SessionExists, SessionNotFound
from chatledger.ledger.ledger import Ledger
from chatledger.ledger.user_ledger import UserLedger
from chatledger.schemas import NewMessage
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

AnyLedger: TypeAlias = Ledger | UserLedger | AsyncLedger | AsyncUserLedger
OnClosed: TypeAlias = Literal["raise", "reopen", "fork"]
ON_CLOSED = ("raise", "reopen", "fork")
# Of 255 characters, some remain for the suffix of a fork.
_LONGEST_NAME = 240


def checked_on_closed(on_closed: OnClosed) -> OnClosed:
    """The argument itself.

    Raises:
        InvalidInput: it is not one of the three.
    """
    if on_closed not in ON_CLOSED:
        raise InvalidInput("on_closed", f"is not one of {', '.join(map(repr, ON_CLOSED))}")
    return on_closed


class AwaitedLedger:
    """A ledger of any kind, awaited."""

    def __init__(self, ledger: AnyLedger | str | Path | URL, user_id: str | None) -> None:
        self._url: str | None = None
        self._closed = False
        if isinstance(ledger, str | Path | URL):
            self._url = ledger.render_as_string(hide_password=False) if isinstance(ledger, URL) else str(ledger)
            # In memory, each opening may be a database of its own.
            ledger = AsyncLedger(self._url) if _is_in_memory(self._url) else AsyncLedger.shared(self._url)
        self._whole = ledger
        self._ledger = limited(ledger, user_id)

    @property
    def user_id(self) -> str | None:
        """The user that the ledger is limited to."""
        return self._ledger.user_id

    async def write(self, work: Callable[[UnitOfWork], R], *, user_id: str | None = None) -> R:
        """As `Ledger.run`, for one user if one is given."""
        ledger = limited(self._opened(), user_id)
        if isinstance(ledger, AsyncUserLedger):
            return await ledger.run(work)
        return await result_of(call_in_thread(lambda: ledger.run(work)))

    async def read(self, work: Callable[[UnitOfWork], R], *, user_id: str | None = None) -> R:
        """As `Ledger.view`, for one user if one is given."""
        ledger = limited(self._opened(), user_id)
        if isinstance(ledger, AsyncUserLedger):
            return await ledger.view(work)
        return await result_of(call_in_thread(lambda: ledger.view(work)))

    async def append_many(self, session_id: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> None:
        """As `Ledger.append_many`: for a single message one statement, without a unit of work."""
        ledger = self._opened()
        if isinstance(ledger, AsyncUserLedger):
            await ledger.append_many(session_id, messages)
        else:
            await result_of(call_in_thread(lambda: ledger.append_many(session_id, messages)))

    def synchronous(self) -> UserLedger:
        """The ledger, opened, for the synchronous methods of an adapter that has both."""
        ledger = self._opened()
        return ledger._synchronous() if isinstance(ledger, AsyncUserLedger) else ledger

    async def close(self) -> None:
        """End the use of the ledger. One that was opened by its URL is closed by the last of its users."""
        if self._closed:
            return
        self._closed = True
        if self._url is not None and isinstance(self._whole, AsyncLedger):
            await self._whole.close()

    def _opened(self) -> UserLedger | AsyncUserLedger:
        if self._closed:
            raise LedgerClosed
        return self._ledger


class SynchronousLedger:
    """A ledger of any kind, for an adapter whose framework awaits nothing."""

    def __init__(self, ledger: AnyLedger | str | Path | URL, user_id: str | None) -> None:
        self._owned: Ledger | None = None
        self._closed = False
        if isinstance(ledger, str | Path | URL):
            url = ledger.render_as_string(hide_password=False) if isinstance(ledger, URL) else str(ledger)
            ledger = self._owned = Ledger(url) if _is_in_memory(url) else Ledger.shared(url)
        self._ledger = limited(ledger, user_id)

    def run(self, work: Callable[[UnitOfWork], R]) -> R:
        """As `Ledger.run`."""
        return self._opened().run(work)

    def view(self, work: Callable[[UnitOfWork], R]) -> R:
        """As `Ledger.view`."""
        return self._opened().view(work)

    def close(self) -> None:
        """End the use of the ledger. One that was opened by its URL is closed by the last of its users."""
        if not self._closed and self._owned is not None:
            self._owned.close()
        self._closed = True

    def _opened(self) -> UserLedger:
        if self._closed:
            raise LedgerClosed
        return self._ledger._synchronous() if isinstance(self._ledger, AsyncUserLedger) else self._ledger


def limited(ledger: AnyLedger, user_id: str | None) -> UserLedger | AsyncUserLedger:
    """The ledger, limited to a user if one is given.

    Raises:
        InvalidInput: it is not a ledger, or it is limited to another user.
    """
    if not isinstance(ledger, UserLedger | AsyncUserLedger):
        raise InvalidInput("ledger", "must be a Ledger, an AsyncLedger or a URL")
    if user_id is None or ledger.user_id == user_id:
        return ledger
    if isinstance(ledger, Ledger | AsyncLedger):
        return ledger.for_user(user_id)
    raise InvalidInput("user_id", "is another user than the one that the ledger is limited to")


def session_name(*parts: str) -> str:
    """The id of the session that a framework knows by several names, which are unique together only.

    The parts with slashes between them; a slash or a sign that an id cannot have is written as in a URL. A long one ends
    in its hash, so that a fork's suffix has room.
    """
    name = "/".join(quote(part, safe=" @:+,=()", errors="surrogatepass") for part in parts)
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 65]}/{sha256(name.encode()).hexdigest()}"


def in_session(
    uow: UnitOfWork,
    session_id: str,
    act: Callable[[str], R],
    *,
    on_closed: OnClosed = "raise",
    create: bool = True,
    fields: Mapping[str, Any] | None = None,
) -> R:
    """Call `act` with the id of the session to write to: the session, created if need be, or the fork that goes on.

    `fields` are those of a session that is created.

    Raises:
        SessionClosed: the session is closed, and `on_closed` is "raise".
        SessionExists: the session belongs to another user.
        SessionNotFound: as `act`, without `create`.
    """
    current = session_id if on_closed != "fork" else continued(uow, session_id)
    try:
        return act(current)
    except SessionNotFound:
        if not create:
            raise
        uow.sessions.get_or_create(current, **(fields or {}))
    except SessionClosed:
        if on_closed == "raise":
            raise
        if on_closed == "reopen":
            uow.sessions.reopen(current, reason="a framework goes on with it")
        else:
            closed, current = current, _next(session_id, current)
            with suppress(SessionExists):  # another writer was quicker
                uow.sessions.fork(closed, new_session_id=current)
    return act(current)


def is_continuation(session_id: str, name: str) -> bool:
    """Whether an id is that of the session `name`, or of a fork that went on with it because it was closed."""
    return session_id == name or re.fullmatch(r"~[1-9]\d*", session_id.removeprefix(name)) is not None


def continued(uow: UnitOfWork, session_id: str) -> str:
    """The id of the session, or of the last of the forks that were made because it was closed.

    Raises:
        SessionExists: a session with the name of such a fork is not one.
    """
    current = session_id
    while True:
        found = uow.sessions.find(current, include_expired=True)
        if found is None or found.is_open:
            return current
        following = uow.sessions.find(_next(session_id, current), include_expired=True)
        if following is None:
            return current
        if following.forked_from != current:
            raise SessionExists(following.session_id)
        current = following.session_id


def continuations(uow: UnitOfWork, session_id: str) -> list[str]:
    """The ids of the session and of the forks that went on with it; none if there is no session."""
    found: list[str] = []
    current = session_id
    while (session := uow.sessions.find(current, include_expired=True)) is not None:
        if found and session.forked_from != found[-1]:
            break
        found.append(current)
        current = _next(session_id, current)
    return found


def _next(session_id: str, current: str) -> str:
    """`chat`, `chat~2`, `chat~3`: known without a search, so that each process goes on with the same fork."""
    number = 1 if current == session_id else int(current.rpartition("~")[2])
    return f"{session_id}~{number + 1}"


def _is_in_memory(url: str) -> bool:
    """Whether each opening of the URL may be a database of its own."""
    return ":memory:" in url or "mode=memory" in url or url.endswith(("://", ":///"))
