"""A cancelled task leaves nothing half done: no row, no lock, no connection."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event

from chatledger import AsyncLedger, ConnectionFailed, Settings, UnitOfWork

PAUSE = 0.15


@asynccontextmanager
async def opened(url: str, wait: float = 5) -> AsyncIterator[AsyncLedger]:
    """A ledger with a session; afterwards everything must have been given back."""
    async with AsyncLedger(url, settings=Settings(pool_size=2, max_overflow=0, busy_timeout=wait)) as ledger:
        await ledger.run(lambda uow: uow.sessions.create("s"))
        yield ledger
        async with asyncio.timeout(20):
            # The lock is free, and both connections can be had at once.
            async with ledger.begin() as uow, ledger.read():
                await uow.messages.append("s", "system", "still alive")
            assert 0 == (await ledger.pool_status())["in_use"]


async def contents(ledger: AsyncLedger) -> list[str]:
    async with ledger.read() as uow:
        return [message.content for message in await uow.messages.history("s")]


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class SlowWork:
    """A write that takes a while inside of its worker thread."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.finished = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, uow: UnitOfWork) -> None:
        uow.messages.append("s", "user", "slow")
        self._loop.call_soon_threadsafe(self.begun.set)
        time.sleep(PAUSE)
        uow.messages.append("s", "user", "slow, second half")
        self.finished.set()


def test_in_the_middle_of_a_statement(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            slow = SlowWork()

            async def write() -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "before")
                    await uow.run(slow)
                    await uow.messages.append("s", "user", "never")

            task = asyncio.create_task(write())
            await slow.begun.wait()
            await cancelled(task)
            # Leaving the block has waited for the statement in flight.
            assert slow.finished.is_set()
            assert [] == await contents(ledger)

    asyncio.run(scene())


def test_between_two_statements(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            written = asyncio.Event()

            async def write() -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "before")
                    written.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(write())
            await written.wait()
            await cancelled(task)
            assert [] == await contents(ledger)

    asyncio.run(scene())


def test_a_deadline_rolls_back(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PAUSE / 3), ledger.begin() as uow:
                    await uow.messages.append("s", "user", "before")
                    await asyncio.sleep(60)
            assert [] == await contents(ledger)

    asyncio.run(scene())


@contextmanager
def slow_commits(begun: threading.Event) -> Iterator[None]:
    def wait(_: object) -> None:
        begun.set()
        time.sleep(PAUSE)

    event.listen(Engine, "commit", wait)
    try:
        yield
    finally:
        event.remove(Engine, "commit", wait)


@pytest.mark.parametrize("times", [1, 3])
def test_during_the_commit_all_is_written_or_nothing(url: str, times: int) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            begun = threading.Event()

            async def write() -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "one")
                    await uow.messages.append("s", "user", "two")

            with slow_commits(begun):
                task = asyncio.create_task(write())
                while not begun.is_set():
                    await asyncio.sleep(0.005)
                for _ in range(times):
                    task.cancel()
                    await asyncio.sleep(0.01)
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await contents(ledger) in (["one", "two"], [])

    asyncio.run(scene())


def test_while_waiting_for_the_lock(url: str) -> None:
    """On a server the lock is waited for inside of a statement, which leaving the block waits for in turn."""

    async def scene() -> None:
        async with opened(url, wait=1) as ledger:

            async def write(text: str) -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", text)

            async with ledger.begin() as uow:
                await uow.messages.append("s", "user", "first")
                task = asyncio.create_task(write("never"))
                await asyncio.sleep(PAUSE / 3)
                assert not task.done()
                await cancelled(task)
            async with asyncio.timeout(20):
                await write("third")
            assert ["first", "third"] == await contents(ledger)

    asyncio.run(scene())


def test_while_waiting_for_a_connection(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            async with ledger.read(), ledger.read():
                tasks = [asyncio.create_task(contents(ledger)) for _ in range(5)]
                await asyncio.sleep(PAUSE / 3)
                for task in tasks:
                    await cancelled(task)
            assert [] == await contents(ledger)

    asyncio.run(scene())


def test_of_run_the_work_is_waited_for(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            slow = SlowWork()
            task = asyncio.create_task(ledger.run(slow))
            await slow.begun.wait()
            await cancelled(task)
            assert slow.finished.is_set()
            assert await contents(ledger) in (["slow", "slow, second half"], [])

    asyncio.run(scene())


def test_while_leaving_after_an_error(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            slow = SlowWork()

            async def write() -> None:
                async with ledger.begin() as uow:
                    running = asyncio.create_task(uow.run(slow))
                    await slow.begun.wait()
                    running.cancel()
                    raise ZeroDivisionError

            task = asyncio.create_task(write())
            await slow.begun.wait()
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, ZeroDivisionError)):
                await task
            assert [] == await contents(ledger)

    asyncio.run(scene())


def test_a_task_that_swallows_its_cancellation_still_commits_or_not_as_a_whole(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            slow = SlowWork()

            async def write() -> None:
                async with ledger.begin() as uow:
                    with suppress(asyncio.CancelledError):
                        await uow.run(slow)
                    await uow.messages.append("s", "user", "went on")

            task = asyncio.create_task(write())
            await slow.begun.wait()
            task.cancel()
            await task
            assert ["slow", "slow, second half", "went on"] == await contents(ledger)

    asyncio.run(scene())


def test_a_failing_sibling_takes_the_whole_group_back(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:

            async def write() -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "gone")
                    await asyncio.sleep(60)

            async def fail() -> None:
                await asyncio.sleep(PAUSE / 3)
                raise ZeroDivisionError

            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(write())
                    group.create_task(fail())
            assert [] == await contents(ledger)

    asyncio.run(scene())


def test_at_any_moment(url: str) -> None:
    """Cancelled after more and more steps of the loop: pairs of messages are whole, whenever it was."""

    async def scene() -> None:
        async with opened(url) as ledger:

            async def write(number: int) -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", f"{number}")
                    await uow.messages.append("s", "user", f"{number}")

            for number in range(25):
                task = asyncio.create_task(write(number))
                await asyncio.sleep(number * 0.0002)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            # The last one may be rolling back: this write waits for it.
            await write(99)
            found = await contents(ledger)
            assert found[::2] == found[1::2]
            assert "99" == found[-1]

    asyncio.run(scene())


def test_while_a_run_tries_again_because_the_server_is_away(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            tried, loop = asyncio.Event(), asyncio.get_running_loop()

            def work(uow: UnitOfWork) -> None:
                loop.call_soon_threadsafe(tried.set)
                raise ConnectionFailed("away")

            for run in (ledger.run, ledger.view):
                tried.clear()
                task = asyncio.create_task(run(work))
                await tried.wait()
                began = time.monotonic()
                await cancelled(task)
                assert time.monotonic() - began < 10  # and not retry_timeout

    asyncio.run(scene())
