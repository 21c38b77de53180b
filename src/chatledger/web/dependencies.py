"""Dependencies of FastAPI: the ledger, the part of it that a user sees, and units of work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.requests import HTTPConnection

from chatledger.aio.ledger import AsyncLedger
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.aio.user_ledger import AsyncUserLedger

User = Callable[..., Any]
"""A dependency of the application that returns the id of the user."""


def set_ledger(app: FastAPI, ledger: AsyncLedger | None) -> None:
    """Set the ledger of an application."""
    app.state.chatledger = ledger


def current_ledger(connection: HTTPConnection) -> AsyncLedger:
    """The ledger that `lifespan` has opened, as a dependency: `Annotated[AsyncLedger, Depends(current_ledger)]`.

    It is the whole ledger, with the sessions of all users.
    """
    ledger = getattr(connection.app.state, "chatledger", None)
    if not isinstance(ledger, AsyncLedger):
        raise RuntimeError(  # noqa: TRY004 - nothing has a wrong type
            "the application has no open ledger: pass `lifespan=chatledger.web.lifespan(url)` to FastAPI, or enter it in"
            " your own lifespan"
        )
    return ledger


def user_ledger(user: User | None) -> Any:
    """A dependency on the ledger as the user of the request sees it.

        Chats = Annotated[AsyncUserLedger, user_ledger(current_user)]

    `user` is a dependency of your application that returns the id of the user as text. If it returns None, the request is
    refused with 401. Sessions of other users are not found. `user=None` is for applications with a single user: it is the
    whole ledger.
    """
    if user is None:

        async def whole(connection: HTTPConnection) -> AsyncUserLedger:
            return current_ledger(connection)

        return Depends(whole)

    signed_in = Depends(user)

    async def limited(connection: HTTPConnection, user_id: Any = signed_in) -> AsyncUserLedger:
        if user_id is None:
            raise HTTPException(401, "nobody is signed in")
        if not isinstance(user_id, str) or not user_id:
            raise TypeError(
                f"the dependency `user` must return the id of the user as text, not {type(user_id).__name__}"
            )
        return current_ledger(connection).for_user(user_id)

    return Depends(limited)


def reading(user: User | None) -> Any:
    """A dependency on a unit of work that reads one snapshot: `AsyncLedger.read`, limited to the user of the request.

        Reading = Annotated[AsyncUnitOfWork, reading(current_user)]

        @app.get("/chats/{session_id}")
        async def chat(session_id: str, uow: Reading) -> Session:
            return await uow.sessions.get(session_id)

    The snapshot ends before the response is sent. The handler must be `async def`. `user` is as in `user_ledger`.
    """

    mine = user_ledger(user)

    async def unit_of_work(ledger: AsyncUserLedger = mine) -> AsyncIterator[AsyncUnitOfWork]:
        async with ledger.read() as uow:
            yield uow

    return Depends(unit_of_work, scope="function")


def writing(user: User | None, *, actor: str | None = None) -> Any:
    """A dependency on a unit of work that reads and writes: `AsyncLedger.begin`, limited to the user of the request.

        Writing = Annotated[AsyncUnitOfWork, writing(current_user)]

        @app.post("/chats", status_code=201)
        async def create(title: str, uow: Writing) -> Session:
            return await uow.sessions.create(title=title)

    It commits when the handler has returned and before the response is sent, so a commit that fails is an error and not a
    success. An exception of the handler, `HTTPException` included, rolls back. The handler must be `async def`. `user` is
    as in `user_ledger`, and `actor` as in `AsyncLedger.begin`.
    """

    mine = user_ledger(user)

    async def unit_of_work(ledger: AsyncUserLedger = mine) -> AsyncIterator[AsyncUnitOfWork]:
        async with ledger.begin(actor=actor) as uow:
            yield uow

    # By default FastAPI leaves a dependency after the response: a commit that fails would be a success for the client.
    return Depends(unit_of_work, scope="function")
