"""The ledger of an application: opened when it starts, closed when it stops."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, overload

from fastapi import FastAPI
from sqlalchemy.engine import URL

from chatledger.aio.ledger import AsyncLedger
from chatledger.errors import InvalidInput
from chatledger.settings import DEFAULT_URL, ENVIRONMENT_URL, Preset
from chatledger.web.dependencies import set_ledger

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@overload
def lifespan(
    ledger: AsyncLedger | str | Path | URL | None = None,
    /,
    *,
    sweep_every: timedelta | float | None = 60.0,
    **options: Any,
) -> Lifespan: ...


@overload
def lifespan(ledger: FastAPI, /) -> AbstractAsyncContextManager[None]: ...


def lifespan(
    ledger: FastAPI | AsyncLedger | str | Path | URL | None = None,
    /,
    *,
    sweep_every: timedelta | float | None = 60.0,
    **options: Any,
) -> Any:
    """Return a lifespan for FastAPI that opens the ledger at the start of the application and closes it at the end.

        app = FastAPI(lifespan=lifespan("postgresql://…"))

    Without a URL, and as `FastAPI(lifespan=lifespan)`, the URL is the value of the environment variable `CHATLEDGER_URL`,
    or `chatledger.db` in the current folder. `options` are the arguments of `AsyncLedger`; the preset is "web" unless you
    choose other settings. An `AsyncLedger` that you pass is used, and stays open.

    While the application runs, a sweeper applies the timeouts every `sweep_every` seconds and marks the answers of
    processes that were killed as interrupted. In several processes, each session is processed once. None: no sweeper.

    In a lifespan of your own: `async with lifespan(url)(app): yield`.

    Raises:
        InvalidInput: options together with an open ledger, or an option that is not valid.
        SchemaError, Unavailable: at the start, as `AsyncLedger`.
    """
    if isinstance(ledger, FastAPI):
        return lifespan()(ledger)
    if isinstance(ledger, AsyncLedger):
        if options:
            raise InvalidInput(next(iter(options)), "cannot be set for a ledger that is open already")
        given = ledger
    else:
        if not options.keys() & {"settings", "preset"}:
            options["preset"] = Preset.WEB
        given = None
    url: Any = ledger

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if given is None:
                chosen = os.environ.get(ENVIRONMENT_URL, DEFAULT_URL) if url is None else url
                current = await stack.enter_async_context(AsyncLedger(chosen, **options))
            else:
                current = given
            if sweep_every is not None:
                await stack.enter_async_context(current.sweeper(sweep_every))
            set_ledger(app, current)
            stack.callback(set_ledger, app, None)
            yield

    return running
