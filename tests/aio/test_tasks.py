"""Many tasks, several loops, and an event loop that is never held up."""

# pytest.raises cannot catch a StopIteration of a coroutine as it is.
# ruff: noqa: PT017

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chatledger import AsyncLedger, Busy, LedgerClosed, PoolExhausted, SessionNotFound, Settings
from tests.support.raw import Raw

TICK = 0.005


class Ticker:
    """A task that wakes all the time. It is counted, not timed: a busy machine makes everything late."""

    def __init__(self) -> None:
        self.ticks = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.ticks += 1


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    ticker = Ticker()
    task = asyncio.create_task(ticker.run())
    try:
        yield ticker
    finally:
        task.cancel()


@asynccontextmanager
async def opened(url: str, **settings: float) -> AsyncIterator[AsyncLedger]:
    async with AsyncLedger(url, settings=Settings(**settings)) as ledger:  # type: ignore[arg-type]
        await ledger.run(lambda uow: uow.sessions.create("s"))
        yield ledger


def test_the_loop_goes_on_while_a_writer_waits_for_another(url: str) -> None:
    async def scene() -> tuple[Ticker, list[str]]:
        async with opened(url) as ledger, ticking() as ticker:

            async def wait() -> None:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "second")

            async with ledger.begin() as uow:
                await uow.messages.append("s", "user", "first")
                waiting = asyncio.create_task(wait())
                await asyncio.sleep(0.4)
            await waiting
            async with ledger.read() as uow:
                return ticker, [message.content for message in await uow.messages.history("s")]

    ticker, contents = asyncio.run(scene())
    assert ["first", "second"] == contents
    assert ticker.ticks >= 20


def test_the_loop_goes_on_while_another_program_holds_the_lock(url: str, raw: Raw, backend: str) -> None:
    async def scene() -> Ticker:
        async with opened(url, busy_timeout=0.4) as ledger, ticking() as ticker:
            with raw.engine.connect() as connection:
                if backend == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql("UPDATE chatledger_sessions SET title = 'held'")
                with pytest.raises(Busy):
                    async with ledger.begin() as uow:
                        await uow.messages.append("s", "user", "x")
                connection.rollback()
            return ticker

    ticker = asyncio.run(scene())
    assert ticker.ticks >= 20


def test_opening_does_not_hold_up_the_loop(empty_url: str) -> None:
    async def scene() -> Ticker:
        async with ticking() as ticker, AsyncLedger(empty_url) as ledger:
            await ledger.run(lambda uow: uow.sessions.create("s"))
        return ticker

    # The migrations alone take a hundred ticks and more; an opening that holds up the loop has two or three.
    assert asyncio.run(scene()).ticks >= 10


def test_more_tasks_than_connections_all_get_their_turn(url: str) -> None:
    async def scene() -> list[int]:
        async with opened(url, pool_size=2, max_overflow=1) as ledger:

            async def write(number: int) -> int:
                if number % 2:
                    return (await ledger.run(lambda uow: uow.messages.append("s", "user", "x"))).sequence_number
                async with ledger.begin() as uow:
                    return (await uow.messages.append("s", "user", "x")).sequence_number

            numbers = await asyncio.gather(*(write(number) for number in range(40)))
            assert 0 == (await ledger.pool_status())["in_use"]
            return sorted(numbers)

    assert list(range(1, 41)) == asyncio.run(scene())


def test_readers_do_not_starve_while_writers_queue(url: str) -> None:
    async def scene() -> int:
        async with opened(url, pool_size=3, max_overflow=3) as ledger, ledger.begin() as uow:
            await uow.messages.append("s", "user", "uncommitted")
            writers = [
                asyncio.create_task(ledger.run(lambda uow: uow.messages.append("s", "user", "x"))) for _ in range(3)
            ]
            await asyncio.sleep(0.05)
            async with asyncio.timeout(20), ledger.read() as reader:
                seen = (await reader.sessions.get("s")).message_count
            for writer in writers:
                writer.cancel()
            return seen

    assert 0 == asyncio.run(scene())


def test_one_ledger_serves_two_loops(url: str) -> None:
    ledger = AsyncLedger(url)
    numbers: list[int] = []
    failures: list[BaseException] = []

    async def write() -> None:
        for _ in range(10):
            async with ledger.begin() as uow:
                numbers.append((await uow.messages.append("s", "user", "x")).sequence_number)
            await ledger.run(lambda uow: uow.messages.history("s", last=1))

    async def start() -> None:
        await asyncio.gather(write(), write())

    def loop() -> None:
        try:
            asyncio.run(start())
        except BaseException as error:  # noqa: BLE001 - shown by the test's thread
            failures.append(error)

    asyncio.run(ledger.run(lambda uow: uow.sessions.create("s")))
    threads = [threading.Thread(target=loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ledger.close())
    assert ([], list(range(1, 41))) == (failures, sorted(numbers))


class Odd(BaseException):
    pass


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, ZeroDivisionError, GeneratorExit, Odd])
def test_what_is_raised_in_a_block_leaves_it_unchanged(url: str, kind: type[BaseException]) -> None:
    async def scene() -> tuple[BaseException, int]:
        given = kind("as it is")
        async with opened(url) as ledger:
            try:
                async with ledger.begin() as uow:
                    await uow.messages.append("s", "user", "gone")
                    raise given
            except BaseException as caught:  # noqa: BLE001 - looked at below
                assert caught is given
                assert caught.__cause__ is None
                assert caught.__context__ is None
            async with ledger.read() as uow:
                return given, (await uow.sessions.get("s")).message_count

    assert 0 == asyncio.run(scene())[1]


@pytest.mark.parametrize("kind", [ZeroDivisionError, Odd, SessionNotFound])
def test_what_the_work_raises_reaches_the_task_unchanged(url: str, kind: type[BaseException]) -> None:
    async def scene() -> None:
        given = kind("as it is")

        def work(_: object) -> None:
            raise given

        async with opened(url) as ledger:
            with pytest.raises(kind) as caught:
                await ledger.run(work)
            assert caught.value is given
            async with ledger.begin() as uow:
                with pytest.raises(kind) as caught:
                    await uow.run(work)
                assert caught.value is given
                await uow.messages.append("s", "user", "goes on")

    asyncio.run(scene())


def test_a_stop_iteration_of_the_work_does_not_hang(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            # As Python does with every coroutine: a StopIteration cannot leave it.
            async with asyncio.timeout(20):
                with pytest.raises(RuntimeError):
                    await ledger.run(lambda uow: next(iter([])))
            assert 0 == (await ledger.pool_status())["in_use"]

    asyncio.run(scene())


def test_a_stream_can_be_left_in_the_middle(url: str) -> None:
    async def scene() -> None:
        async with opened(url) as ledger:
            await ledger.run(lambda uow: uow.messages.append_many("s", [{"role": "user"}] * 1200))
            async with ledger.begin() as uow:
                async for message in uow.messages.iterate("s"):
                    if message.sequence_number == 700:
                        break
                await uow.messages.append("s", "user", "after")
            async with ledger.read() as uow:
                assert 1201 == len([message async for message in uow.messages.iterate("s")])

    asyncio.run(scene())


def test_a_closed_ledger_says_so_and_closing_waits_for_the_open_block(url: str) -> None:
    async def scene() -> None:
        ledger = AsyncLedger(url)
        await ledger.run(lambda uow: uow.sessions.create("s"))
        async with ledger.begin() as uow:
            closing = asyncio.create_task(ledger.close())
            await asyncio.sleep(0.05)
            assert not closing.done()
            await uow.messages.append("s", "user", "kept")
        await closing
        await ledger.close()
        with pytest.raises(LedgerClosed):
            await ledger.run(lambda uow: uow.sessions.get("s"))
        with pytest.raises(LedgerClosed):
            async with ledger.begin():
                pytest.fail("opened")
        async with AsyncLedger(url) as again, again.read() as reader:
            assert 1 == (await reader.sessions.get("s")).message_count

    asyncio.run(scene())


def test_an_unused_ledger_opens_nothing(tmp_path: object) -> None:
    async def scene() -> None:
        await AsyncLedger("postgresql://nobody@127.0.0.1:1/nothing").close()

    asyncio.run(scene())


def _one_thread(timeout: float) -> Settings:
    return Settings(pool_size=1, max_overflow=0, pool_timeout=timeout)


def test_a_call_that_finds_every_thread_busy_ends_after_pool_timeout(url: str) -> None:
    async def main() -> None:
        async with AsyncLedger(url, settings=_one_thread(0.2)) as ledger:
            async with ledger.read():
                with pytest.raises(PoolExhausted):
                    await ledger.run(lambda uow: uow.sessions.create("s"))
            async with ledger.read() as uow:
                assert await uow.sessions.find("s") is None

    asyncio.run(main())


def test_a_call_that_waits_for_a_thread_is_cancelled_at_once(url: str) -> None:
    async def main() -> None:
        async with AsyncLedger(url, settings=_one_thread(60)) as ledger:
            async with ledger.read():
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await ledger.run(lambda uow: uow.sessions.create("s"))
            async with ledger.read() as uow:
                assert await uow.sessions.find("s") is None

    asyncio.run(main())
