"""The lifespan, the dependencies for an application's own handlers, and problem details."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from chatledger import (
    AccessDenied,
    AsyncLedger,
    Busy,
    ChatledgerError,
    CommitUnknown,
    CorruptDatabase,
    InvalidInput,
    Ledger,
    LedgerClosed,
    MessageNotFound,
    NestedWrite,
    OutOfSpace,
    PoolExhausted,
    ReadOnly,
    SchemaBehind,
    Session,
    SessionClosed,
    SessionExists,
    SessionHeld,
    Unavailable,
)
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.unit_of_work import UnitOfWork
from tests.support.clock import StoppedClock


@pytest.fixture
def application(url: str) -> Any:
    """An application with handlers of its own."""
    from fastapi import Depends, FastAPI, Header, HTTPException

    from chatledger.web import current_ledger, install_problem_handlers, lifespan, reading, user_ledger, writing

    async def current_user(x_user: str = Header()) -> Any:
        return {"nobody": None, "number": 7}.get(x_user, x_user)

    app = FastAPI(lifespan=lifespan(url, sweep_every=None))
    install_problem_handlers(app)
    reading_, writing_, ledger_ = (
        reading(current_user),
        writing(current_user, actor="the web"),
        user_ledger(current_user),
    )

    async def create(session_id: str, uow: Any = writing_, fail: str = "") -> Any:
        created = await uow.sessions.create(session_id)
        if fail == "http":
            raise HTTPException(418)
        if fail == "bug":
            raise RuntimeError
        if fail == "commit":
            app.state.fail_commits()
        return created

    async def read(session_id: str, uow: Any = reading_) -> Any:
        return await uow.sessions.get(session_id)

    async def write_while_reading(session_id: str, uow: Any = reading_) -> Any:
        return await uow.sessions.create(session_id)

    whole = Depends(current_ledger)

    async def count(ledger: Any = whole) -> Any:
        return await ledger.view(lambda uow: uow.sessions.count())

    async def mine(ledger: Any = ledger_) -> Any:
        return ledger.user_id

    app.post("/chats/{session_id}", status_code=201)(create)
    app.get("/chats/{session_id}")(read)
    app.put("/chats/{session_id}")(write_while_reading)
    app.get("/count")(count)
    app.get("/mine")(mine)
    return app


@pytest.fixture
def own(application: Any) -> Any:
    from fastapi.testclient import TestClient

    with TestClient(application, headers={"x-user": "ada"}, raise_server_exceptions=False) as client:
        yield client


def test_a_handler_of_ones_own_writes_and_reads_as_the_user(own: Any, ledger: Ledger) -> None:
    assert 201 == own.post("/chats/s").status_code
    assert "ada" == own.get("/chats/s").json()["user_id"]
    assert 404 == own.get("/chats/s", headers={"x-user": "lin"}).status_code
    assert ("ada", 1) == (own.get("/mine").json(), own.get("/count").json())


def test_a_handler_that_fails_stores_nothing(own: Any) -> None:
    assert 418 == own.post("/chats/s?fail=http").status_code
    assert 500 == own.post("/chats/s?fail=bug").status_code
    assert 404 == own.get("/chats/s").status_code


def test_a_commit_that_fails_is_no_success(own: Any, application: Any, monkeypatch: pytest.MonkeyPatch) -> None:

    def broken(self: Any) -> None:
        raise Busy("another writer holds the lock")

    application.state.fail_commits = lambda: monkeypatch.setattr(UnitOfWork, "complete", broken)
    response = own.post("/chats/s?fail=commit")
    assert (503, "1", "urn:chatledger:error:busy") == (
        response.status_code, response.headers["retry-after"], response.json()["type"],
    )  # fmt: skip
    monkeypatch.undo()
    assert 404 == own.get("/chats/s").status_code


def test_a_reading_handler_cannot_write(own: Any, caplog: pytest.LogCaptureFixture) -> None:
    response = own.put("/chats/s")
    assert (500, "urn:chatledger:error:read-only") == (response.status_code, response.json()["type"])
    (record,) = [record for record in caplog.records if record.name == "chatledger" and record.levelno == logging.ERROR]
    assert ("PUT", "/chats/{session_id}", "ReadOnly") == (
        vars(record)["method"], vars(record)["route"], vars(record)["error"],
    )  # fmt: skip


def test_a_request_without_a_user_is_refused(own: Any) -> None:
    assert 401 == own.get("/mine", headers={"x-user": "nobody"}).status_code
    assert 500 == own.get("/mine", headers={"x-user": "number"}).status_code


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MessageNotFound("s", 1), 404),
        (SessionExists("s"), 409),
        (SessionHeld(("s",)), 409),
        (SessionClosed("s", "archived"), 409),
        (InvalidInput("limit", "must be a number"), 422),
        (Busy("locked"), 503),
        (PoolExhausted(), 503),
        (NestedWrite(), 500),
        (Unavailable("away"), 503),
        (LedgerClosed(), 503),
        (CommitUnknown(), 503),
        (AccessDenied("user 'x' at db.internal"), 500),
        (OutOfSpace("/var is full"), 507),
        (SchemaBehind("0001", "0002"), 500),
        (CorruptDatabase("/var/chat.db is damaged"), 500),
        (ReadOnly("/var/chat.db"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_a_status_and_tells_clients_nothing_of_the_server(error: ChatledgerError, status: int) -> None:
    from chatledger.web import problem_of

    problem = problem_of(error)
    assert status == problem.status
    if status >= 500:
        assert str(error) not in str(problem.detail)
    else:
        assert str(error) == problem.detail
    retry = status == 503 and not isinstance(error, CommitUnknown)
    assert (1 if retry else None) == problem.retry_after


def test_every_error_has_a_problem() -> None:
    from chatledger.web import problem_of

    def kinds(cls: type[ChatledgerError]) -> list[type[ChatledgerError]]:
        return [cls, *(found for one in cls.__subclasses__() for found in kinds(one))]

    for kind in kinds(ChatledgerError):
        error = kind.__new__(kind)
        error.args = ("x",)
        if isinstance(error, InvalidInput):
            error.__dict__.update(field="f", reason="r")
        problem = problem_of(error)
        assert problem.title
        assert problem.type == problem.type.lower()


def test_the_applications_own_answers_to_http_errors_stay(url: str) -> None:
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import PlainTextResponse
    from fastapi.testclient import TestClient

    from chatledger.web import chat_router, lifespan

    async def nobody() -> None:
        return None

    async def own(request: Any, error: Any) -> Any:
        return PlainTextResponse("please sign in", error.status_code)

    app = FastAPI(lifespan=lifespan(url, sweep_every=None))
    app.include_router(chat_router(user=nobody))
    app.add_exception_handler(HTTPException, own)
    with TestClient(app) as client:
        assert "please sign in" == client.get("/sessions").text


def test_the_ledger_is_opened_and_closed_with_the_application(url: str) -> None:
    from fastapi import FastAPI

    from chatledger.web import lifespan

    async def use() -> None:
        app = FastAPI()
        async with lifespan(url)(app):
            ledger = app.state.chatledger
            assert (5, 10) == (ledger._threads.settings.pool_size, ledger._threads.settings.max_overflow)
            await ledger.run(lambda uow: uow.sessions.create("s"))
        assert app.state.chatledger is None
        with pytest.raises(LedgerClosed):
            await ledger.view(lambda uow: uow.sessions.get("s"))
        async with AsyncLedger(url) as own:
            other = FastAPI()
            async with lifespan(own)(other):
                assert other.state.chatledger is own
            await own.view(lambda uow: uow.sessions.get("s"))
            with pytest.raises(InvalidInput, match="preset"):
                lifespan(own, preset="web")

    asyncio.run(use())


def test_the_environment_names_the_database(
    migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fastapi import FastAPI

    from chatledger.web import lifespan

    async def open_(app: Any) -> str:
        async with app.router.lifespan_context(app):
            return str(await app.state.chatledger.info())

    monkeypatch.chdir(tmp_path)
    assert "chatledger.db" in asyncio.run(open_(FastAPI(lifespan=lifespan)))
    monkeypatch.setenv("CHATLEDGER_URL", migrated_sqlite_url)
    for given in (lifespan, lifespan()):
        assert "chat.db" in asyncio.run(open_(FastAPI(lifespan=given)))


def test_the_sweeper_marks_what_a_killed_process_has_left(url: str, clock: StoppedClock) -> None:
    from fastapi import FastAPI

    from chatledger.web import lifespan

    async def use() -> str:
        async with AsyncLedger(url, clock=clock) as ledger:
            await ledger.run(lambda uow: uow.sessions.create("s"))
            await ledger.stream("s").write("Lis")
            clock.advance(minutes=2)
            async with lifespan(ledger, sweep_every=0.1)(FastAPI()):
                while True:
                    (message,) = await ledger.view(lambda uow: uow.messages.history("s"))
                    if message.outcome != "streaming":
                        return str(message.outcome)
                    await asyncio.sleep(0.02)

    assert "interrupted" == asyncio.run(use())


def test_an_application_without_a_ledger_is_told_how_to_open_one() -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from chatledger.web import chat_router

    app = FastAPI()
    app.include_router(chat_router(user=None))
    with TestClient(app) as client, pytest.raises(RuntimeError, match=r"chatledger\.web\.lifespan"):
        client.get("/sessions")


def test_dependencies_are_written_as_annotations(url: str) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from chatledger.web import lifespan, writing

    async def create(uow: Annotated[AsyncUnitOfWork, writing(None)]) -> Session:
        return await uow.sessions.create("s")

    create.__annotations__["uow"] = Annotated[AsyncUnitOfWork, writing(None)]
    app = FastAPI(lifespan=lifespan(url, sweep_every=None))
    app.post("/chats")(create)
    with TestClient(app) as client:
        assert "s" == client.post("/chats").json()["session_id"]


def test_without_fastapi_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "try:\n    import chatledger.web\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "MissingExtra a router for FastAPI needs an extra: pip install 'chatledger[web]'" == said.strip()


def test_importing_chatledger_does_not_import_fastapi() -> None:
    code = "import sys, chatledger; print([name for name in sys.modules if name in ('fastapi', 'chatledger.web')])"
    assert (
        "[]" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    )
