"""Appends: one writer, synchronous and asynchronous, and many messages at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks.bench import Bench, Pair
from benchmarks.conversation import Conversation, Turn
from benchmarks.figures import Figure, at_most, figure
from benchmarks.rounds import Batch, alternate
from chatledger import AsyncLedger, UnitOfWork


def one_writer(bench: Bench) -> Iterator[Figure]:
    """One writer, one transaction each."""
    with bench.pair() as pair:

        def ours(number: int) -> None:
            for turn in turns[number]:
                with pair.ledger.begin() as uow:
                    uow.messages.append(pair.session_id, **turn.given)

        turns = _turns(bench)
        yield figure(
            "append, one writer",
            bench.database.name,
            alternate(_raw(pair, turns), ours, calls=bench.scale.calls, rounds=bench.scale.rounds),
            bar=at_most(1.5 if bench.database.name == "sqlite" else 1.4),
        )


def asynchronous(bench: Bench) -> Iterator[Figure]:
    """The same through AsyncLedger.run, awaited one after the other, against the same synchronous raw."""
    with bench.pair() as pair, asyncio.Runner() as runner:
        ledger = AsyncLedger(pair.ledger_url)

        async def append_all(turns: list[Turn]) -> None:
            for turn in turns:
                given = turn.given

                def work(uow: UnitOfWork, given: dict[str, object] = given) -> object:
                    return uow.messages.append(pair.session_id, **given)  # type: ignore[arg-type]

                await ledger.run(work)

        turns = _turns(bench)
        comparison = alternate(
            _raw(pair, turns),
            lambda number: runner.run(append_all(turns[number])),
            calls=bench.scale.calls,
            rounds=bench.scale.rounds,
        )
        runner.run(ledger.close())
        yield figure(
            "append, AsyncLedger.run",
            bench.database.name,
            comparison,
            bar=at_most(2.5 if bench.database.name == "sqlite" else 2.0),
        )


def many(bench: Bench) -> Iterator[Figure]:
    """append_many of dicts. Figures are microseconds a message."""
    for count, rounds in bench.scale.bulks:
        with bench.pair() as pair:
            conversation = Conversation(seed=3)
            # Those that a disturbed machine adds append the same once more.
            turns = [conversation.turns(count) for _ in range(rounds.warm_up + rounds.least)]

            def ours(number: int, pair: Pair = pair, turns: list[list[Turn]] = turns) -> None:
                given = [turn.given for turn in turns[number % len(turns)]]
                with pair.ledger.begin() as uow:
                    uow.messages.append_many(pair.session_id, given)

            def raw(number: int, pair: Pair = pair, turns: list[list[Turn]] = turns) -> None:
                pair.raw.append_many(pair.session_id, turns[number % len(turns)])

            yield figure(
                f"append_many of {count:,}",
                bench.database.name,
                alternate(raw, ours, calls=count, rounds=rounds),
                bar=at_most(1.2),
            )


def _turns(bench: Bench) -> list[list[Turn]]:
    conversation = Conversation()
    return [conversation.turns(bench.scale.calls) for _ in range(bench.scale.rounds.all)]


def _raw(pair: Pair, turns: list[list[Turn]]) -> Batch:
    def raw(number: int) -> None:
        for turn in turns[number]:
            pair.raw.append(pair.session_id, turn)

    return raw
