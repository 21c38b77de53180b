"""Appends: one writer, synchronous and awaited, and many messages at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from benchmarks.bench import Bench, Pair
from benchmarks.conversation import Conversation, Turn
from benchmarks.figures import Figure, at_most, figure
from benchmarks.lean import Lean
from benchmarks.rounds import alternate
from chatledger import AsyncLedger, Ledger


def append(ledger: Ledger, session_id: str, turn: Turn) -> object:
    """One append in a transaction of its own, as all cases do it."""
    return ledger.append(session_id, **turn.given)


def one_writer(bench: Bench) -> Iterator[Figure]:
    """One writer, one transaction each; for information, against a raw that defers its index, too."""
    name = bench.database.name
    with bench.pair() as pair:
        yield _one_writer(bench, pair, pair.raw, "append, one writer", at_most(1.0 if name == "sqlite" else 1.5))
    if name == "sqlite":
        from benchmarks.lean_sqlite import STEP, LeanSQLite  # noqa: PLC0415 - each database loads its own driver

        with bench.pair() as pair, closing(LeanSQLite(bench.database.empty(), deferred=True)) as raw:
            raw.create([pair.session_id])
            yield _one_writer(bench, pair, raw, f"append, raw indexes by {STEP}", None)


def _one_writer(bench: Bench, pair: Pair, lean: Lean, case: str, bar: Any) -> Figure:
    turns, done = _turns(bench), {"ours": 0, "raw": 0}

    def ours(number: int) -> None:
        for turn in turns[number]:
            append(pair.ledger, pair.session_id, turn)
            done["ours"] += 1

    def raw(number: int) -> None:
        for turn in turns[number]:
            lean.append(pair.session_id, turn)
            done["raw"] += 1

    comparison = alternate(raw, ours, calls=bench.scale.calls, rounds=bench.scale.rounds)
    pair.verify(done["ours"], done["raw"], other=lean)
    return figure(case, bench.database.name, comparison, bar=bar)


def asynchronous(bench: Bench) -> Iterator[Figure]:
    """The same through AsyncLedger, awaited one after the other, against the same synchronous raw."""
    with bench.pair() as pair, asyncio.Runner() as runner:
        ledger = AsyncLedger(pair.ledger_url)
        turns, done = _turns(bench), {"ours": 0, "raw": 0}

        async def append_all(turns: list[Turn]) -> None:
            for turn in turns:
                await ledger.append(pair.session_id, **turn.given)
                done["ours"] += 1

        def raw(number: int) -> None:
            for turn in turns[number]:
                pair.raw.append(pair.session_id, turn)
                done["raw"] += 1

        comparison = alternate(
            raw,
            lambda number: runner.run(append_all(turns[number])),
            calls=bench.scale.calls,
            rounds=bench.scale.rounds,
        )
        runner.run(ledger.close())
        pair.verify(done["ours"], done["raw"])
        yield figure("append, awaited", bench.database.name, comparison, bar=at_most(2.0))


def many(bench: Bench) -> Iterator[Figure]:
    """append_many of dicts. Figures are microseconds a message."""
    for count, rounds in bench.scale.bulks:
        with bench.pair(bulk=True) as pair:
            conversation = Conversation(seed=3)
            # Those that a disturbed machine adds append the same once more.
            turns = [conversation.turns(count) for _ in range(rounds.warm_up + rounds.least)]
            done = {"ours": 0, "raw": 0}

            def ours(
                number: int, pair: Pair = pair, turns: list[list[Turn]] = turns, done: dict[str, int] = done
            ) -> None:
                some = turns[number % len(turns)]
                pair.ledger.append_many(pair.session_id, [turn.given for turn in some])
                done["ours"] += len(some)

            def raw(
                number: int, pair: Pair = pair, turns: list[list[Turn]] = turns, done: dict[str, int] = done
            ) -> None:
                some = turns[number % len(turns)]
                pair.raw.append_many(pair.session_id, some)
                done["raw"] += len(some)

            comparison = alternate(raw, ours, calls=count, rounds=rounds)
            pair.verify(done["ours"], done["raw"])
            bar = at_most(1.35 if bench.database.name == "sqlite" else 1.5)
            yield figure(f"append_many of {count:,}", bench.database.name, comparison, bar=bar)


def _turns(bench: Bench) -> list[list[Turn]]:
    conversation = Conversation()
    return [conversation.turns(bench.scale.calls) for _ in range(bench.scale.rounds.all)]
