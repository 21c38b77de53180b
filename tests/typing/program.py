"""A typed program of a user: `mypy --strict` and `pyright` accept it, and find what is wrong in it.

Nothing runs here. `make lint` checks it: where an error is expected it is ignored by its code, and mypy complains about
an ignore that nothing needs.
"""

from __future__ import annotations

from chatledger import AsyncLedger, Ledger, Message, NewMessage, Role, Status, UnitOfWork


def right(ledger: Ledger) -> list[Message]:
    def append(uow: UnitOfWork) -> Message:
        uow.messages.append("s", Role.USER, "Hi")
        uow.messages.append_many("s", [NewMessage(role="user", content="Hi"), {"role": "tool"}])
        return uow.messages.append("s", "assistant", "Hello", outcome="complete")

    message: Message = ledger.run(append)
    with ledger.read() as uow:
        uow.sessions.list(status="active")
        uow.sessions.list(status=["active", Status.PAUSED])
        uow.statistics.errors(by="model", role="assistant")
        uow.metrics.series("latency", "hour")
        return [message, *uow.messages.iterate("s")]


def unknown_words(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.messages.append("s", "robot", "Hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.messages.append("s", "user", outcome="fine")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        NewMessage(role="robot")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.sessions.list(status="shut")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.sessions.list(status=["shut"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        uow.snapshots.take("s", "sometimes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.comparisons.create("g", kind="colour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.statistics.errors(by="moon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.metrics.series("latency", "week")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        uow.batches.list(status="shut")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ledger.repair(orphans="burn")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def work(uow: UnitOfWork) -> int:
    """A coroutine function, which `run` cannot use."""
    return uow.messages.append("s", "user").sequence_number


def a_coroutine_function(ledger: Ledger) -> int:
    ledger.run(work)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    number: int = ledger.run(work)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    return number


async def a_coroutine_function_awaited(ledger: AsyncLedger) -> int:
    await ledger.run(work)  # type: ignore[unused-coroutine]
    number: int = await ledger.run(work)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    return number


async def awaited(ledger: AsyncLedger) -> Message:
    async with ledger.begin() as uow:
        await uow.messages.append("s", "robot", "Hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        return await uow.messages.append("s", "user", "Hi")
