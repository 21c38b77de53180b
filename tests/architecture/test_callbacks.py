"""Every public function that calls back synchronously refuses a coroutine function, before anything is done."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from chatledger import (
    AsyncLedger,
    BatchResult,
    InvalidInput,
    Ledger,
    Sweeper,
    UnitOfWork,
    adoption,
    copy_ledger,
    exchange,
)
from chatledger.workflows import Runner
from tests.architecture.test_async_twins import services
from tests.architecture.test_flags import require_refusal, required
from tests.support.contents import contents
from tests.support.raw import Raw


async def awaited(*_: Any) -> None: ...


async def yields_later(*_: Any) -> AsyncIterator[int]:
    yield 1


def yields(*_: Any) -> Iterator[int]:
    yield 1


class Later:
    async def __call__(self, *_: Any) -> None: ...


DEFERRED: dict[str, Any] = {
    "coroutine function": awaited,
    "generator function": yields,
    "async generator function": yields_later,
    "partial": functools.partial(awaited, 1),
    "callable object": Later(),
    "bound method": Later().__call__,
    "mock": AsyncMock(),
    "no function": "send",
}

NAMES = {"work", "send", "on_report", "progress", "stopping", "worker"}
"""Parameters that are called back, wherever they are; each public method that has one is called."""


def called_back(owner: type) -> dict[str, list[str]]:
    members = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    found = {
        name: [one for one in inspect.signature(member).parameters if one in NAMES]
        for name, member in members.items()
        if inspect.isroutine(member)
    }
    return {name: names for name, names in found.items() if names}


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Any]:
    return {
        "work": len, "worker": len, "user_id": "ada", "older_than": 0, "path": tmp_path / "other.db",
        "url": tmp_path / "new.db", "target": tmp_path / "copy.db", "job_id": "job",
    }  # fmt: skip


def test_both_ledgers_call_back_alike() -> None:
    # `AsyncLedger.orm` calls back where `Ledger.orm` gives a session.
    assert {**called_back(Ledger), "orm": ["work"]} == called_back(AsyncLedger)
    assert {"run", "sweep", "sweeper", "run_batch", "purge", "erase_user", "backup"} < called_back(Ledger).keys()


@pytest.mark.parametrize("kind", DEFERRED)
def test_no_ledger_calls_back_what_would_not_run(
    any_ledger: Ledger, flavor: str, kind: str, url: str, samples: dict[str, Any], tmp_path: Path
) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.batches.create("job", [{"key": "one"}])
    before, files = contents(Raw(url)), set(tmp_path.iterdir())
    with any_ledger.begin() as uow:
        for service, cls in services(UnitOfWork).items():
            for method, names in called_back(cls).items():
                for name in set(names) & {"send", "progress"}:
                    require_refusal(getattr(getattr(uow, service), method), name, {name: DEFERRED[kind]})
    for method, names in called_back(Ledger).items():
        for name in names:
            if name == "worker" and flavor == "async" and not ("generator" in kind or kind == "no function"):
                continue  # which is awaited there
            given = {**required(getattr(Ledger, method), samples), name: DEFERRED[kind]}
            require_refusal(getattr(any_ledger, method), name, given)
    assert (before, files) == (contents(Raw(url)), set(tmp_path.iterdir()))


@pytest.mark.parametrize("kind", DEFERRED)
def test_nothing_beside_a_ledger_calls_back_what_would_not_run(kind: str, tmp_path: Path) -> None:
    function = DEFERRED[kind]
    with Ledger(tmp_path / "chat.db") as ledger:
        calls: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
            (Sweeper, (ledger.sweep,), "on_report"),
            (Runner, (ledger,), "progress"),
            (Runner, (ledger,), "stopping"),
            (adoption.adopt, (ledger, tmp_path / "old.db"), "progress"),
            (exchange.import_file, (ledger, tmp_path / "a.jsonl"), "progress"),
            (copy_ledger, (tmp_path / "chat.db", tmp_path / "b.db"), "progress"),
        ]
        for call, arguments, name in calls:
            with pytest.raises(InvalidInput) as caught:
                call(*arguments, **{name: function})
            assert name == caught.value.field
        with pytest.raises(InvalidInput):
            Sweeper(function)


@pytest.mark.parametrize("returned", [awaited, yields, yields_later])
def test_a_function_that_returns_what_nobody_awaits_is_rolled_back(any_ledger: Ledger, returned: Any) -> None:
    def work(uow: Any) -> Any:
        uow.sessions.create("s")
        return returned()

    with pytest.raises(InvalidInput) as caught:
        any_ledger.run(work)
    assert "work" == caught.value.field
    with any_ledger.read() as uow:
        assert uow.sessions.find("s") is None


def test_a_unit_of_work_calls_no_coroutine_function(any_ledger: Ledger, flavor: str) -> None:
    if flavor == "sync":
        pytest.skip("has no `run`")
    with any_ledger.begin() as uow:
        for function in (awaited, lambda uow: awaited(uow)):
            with pytest.raises(InvalidInput) as caught:
                uow.run(function)  # type: ignore[attr-defined]
            assert "work" == caught.value.field


def test_a_warning_that_nobody_sent_is_not_taken_for_sent(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.timeouts.configure("s", archive_timeout=3600, warn_before=600)
    first = any_ledger.sweep(now=_later(any_ledger), send=lambda due: awaited(due))
    assert (0, 1) == (first.warned, len(first.failures))
    sent: list[Any] = []
    assert 1 == any_ledger.sweep(now=_later(any_ledger), send=sent.append).warned
    assert ["s"] == [due.session_id for due in sent]


def _later(any_ledger: Ledger) -> Any:
    with any_ledger.read() as uow:
        return uow.sessions.get("s").created_at + timedelta(seconds=3500)


def test_a_batch_awaits_what_a_plain_worker_returns_or_fails_for_good(any_ledger: Ledger, flavor: str) -> None:
    with any_ledger.begin() as uow:
        uow.batches.create("job", [{"key": "one"}])

    async def later(item: Any) -> str:
        return f"did {item.key}"

    done = any_ledger.run_batch("job", lambda item: later(item))
    assert ((1, 0) if flavor == "async" else (0, 1)) == (done.done, done.failed)


def test_what_records_a_result_is_synchronous(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.batches.create("job", [{"key": "one"}], max_attempts=1)
    assert 1 == any_ledger.run_batch("job", lambda item: BatchResult(item.key, record=awaited)).failed  # type: ignore[arg-type]


def _typed_programs_are_told(ledger: Ledger) -> None:
    """Never called: type checkers find that what `run` returns is a coroutine that nobody awaits."""

    async def work(uow: UnitOfWork) -> None: ...

    ledger.run(work)  # type: ignore[unused-coroutine]
