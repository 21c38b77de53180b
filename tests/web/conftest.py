"""A chat application on a ledger, in this process. Without FastAPI, its tests are skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _needs_fastapi() -> None:
    for name in ("fastapi", "httpx2", "uvicorn"):
        pytest.importorskip(name)


@pytest.fixture
def pages_extra() -> None:
    """The pages of `serve` need this, too."""
    pytest.importorskip("nh3")


async def echo(turn: Any) -> AsyncIterator[str]:
    """Answers with the question, word by word."""
    for word in turn.question.content.split():
        yield f"{word} "
    turn.reply.set(output_tokens=len(turn.messages), model_id="echo")


@contextmanager
def clients_on(url: str) -> Iterator[Make]:
    from fastapi import FastAPI, Header
    from fastapi.testclient import TestClient

    from chatledger.web import chat_router, lifespan

    async def current_user(x_user: str | None = Header(None)) -> str | None:
        return x_user

    with ExitStack() as stack:

        def make(user_id: str | None = "ada", **options: Any) -> TestClient:
            app = FastAPI(lifespan=lifespan(url, sweep_every=None))
            app.include_router(chat_router(**{"user": current_user, "answer": echo, **options}), prefix="/chat")
            headers = {} if user_id is None else {"x-user": user_id}
            return stack.enter_context(TestClient(app, base_url="http://test/chat", headers=headers))

        yield make


@pytest.fixture
def client_of(url: str) -> Iterator[Make]:
    """`client_of(user_id, answer=…)`: a client of a chat application at `/chat`, as a user."""
    with clients_on(url) as make:
        yield make


@pytest.fixture
def sqlite_client(migrated_sqlite_url: str) -> Iterator[Any]:
    """A client for what does not depend on the database."""
    with clients_on(migrated_sqlite_url) as make:
        yield make()


@pytest.fixture
def client(client_of: Make) -> Any:
    return client_of()
