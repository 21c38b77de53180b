"""Reads: a history, the end of a long session, and the list of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most, figure
from benchmarks.rounds import Batch, alternate
from chatledger import UnitOfWork


def history(bench: Bench) -> Iterator[Figure]:
    """A thousand messages as Pydantic objects, against dataclasses with their JSON parsed."""
    library = bench.library
    calls = 4 if bench.quick else 8
    yield figure(
        "history of 1,000",
        bench.database.name,
        alternate(
            repeated(calls, lambda: library.raw.history(library.thousand)),
            reading(bench, calls, lambda uow: uow.messages.history(library.thousand)),
            calls=calls,
            rounds=bench.scale.rounds,
        ),
        bar=at_most(1.0 if bench.database.name == "sqlite" else 1.2),
    )


def last(bench: Bench) -> Iterator[Figure]:
    """The last 20 of the long session, against the last 20 of one of a hundred messages."""
    library = bench.library
    calls = 50
    yield figure(
        f"last 20 of {bench.scale.long:,}",
        bench.database.name,
        alternate(
            reading(bench, calls, lambda uow: uow.messages.history(library.short, last=20)),
            reading(bench, calls, lambda uow: uow.messages.history(library.long, last=20)),
            calls=calls,
            rounds=bench.scale.rounds,
        ),
        against="last 20 of 100",
        bar=at_most(1.2),
    )


def sessions(bench: Bench) -> Iterator[Figure]:
    """The 50 sessions of one user that were active last."""
    library = bench.library
    calls = 20
    # Raw reads one more too: so both know whether there is a next page.
    yield figure(
        f"50 of {bench.scale.sessions:,} sessions",
        bench.database.name,
        alternate(
            repeated(calls, lambda: library.raw.sessions_of(library.user, 51)),
            reading(bench, calls, lambda uow: uow.sessions.list(user_id=library.user, limit=50)),
            calls=calls,
            rounds=bench.scale.rounds,
        ),
        bar=at_most(2.0),
    )


def repeated(calls: int, read: Callable[[], object]) -> Batch:
    def batch(_number: int) -> None:
        for _ in range(calls):
            read()

    return batch


def reading(bench: Bench, calls: int, read: Callable[[UnitOfWork], object]) -> Batch:
    """A read of the library, each time in a transaction of its own."""
    ledger = bench.library.ledger

    def batch(_number: int) -> None:
        for _ in range(calls):
            with ledger.read() as uow:
                read(uow)

    return batch
