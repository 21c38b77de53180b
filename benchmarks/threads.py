"""Eight threads that append: how much they get done together, and how evenly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median
from time import perf_counter, process_time

from benchmarks.appending import append
from benchmarks.bench import Bench
from benchmarks.conversation import Conversation, Turn
from benchmarks.figures import Bar, Figure, at_least, figure
from benchmarks.rounds import Sample, compare

THREADS = 8

Append = Callable[[str, Turn], object]
"""Appends a turn to a session."""


@dataclass
class Crowd:
    """Threads that append for a while, each in its own way and to its own session."""

    appends: list[Append]
    sessions: list[str]
    turns: list[Turn]
    seconds: float
    evenness: list[float] = field(default_factory=list)
    """The slowest thread's count relative to the fastest's, for each round."""
    errors: list[BaseException] = field(default_factory=list)
    acknowledged: int = 0

    def run(self, _number: int) -> Sample:
        """Appends a second of all threads together, and microseconds of processor time for each."""
        counts = [0] * len(self.appends)
        start = threading.Barrier(len(self.appends) + 1)

        def work(place: int) -> None:
            append, session_id = self.appends[place], self.sessions[place]
            start.wait()
            until = perf_counter() + self.seconds
            try:
                for turn in cycle(self.turns):
                    append(session_id, turn)
                    counts[place] += 1
                    if perf_counter() > until:
                        break
            except Exception as error:  # noqa: BLE001 - counted and reported
                self.errors.append(error)

        threads = [threading.Thread(target=work, args=(place,)) for place in range(len(self.appends))]
        for thread in threads:
            thread.start()
        start.wait()
        began, cpu = perf_counter(), process_time()
        for thread in threads:
            thread.join()
        done = sum(counts)
        self.evenness.append(min(counts) / max(counts))
        self.acknowledged += done
        return Sample(done / (perf_counter() - began), (process_time() - cpu) * 1e6 / done)


def threads(bench: Bench) -> Iterator[Figure]:
    """Throughput and fairness: a session for each thread, and for information one session for all."""
    yield from _crowded(bench, f"{THREADS} threads appending", sessions=THREADS)
    if not bench.quick:
        yield from _crowded(bench, f"{THREADS} threads, one session", sessions=1)


def _crowded(bench: Bench, case: str, *, sessions: int) -> Iterator[Figure]:
    scale, name = bench.scale, bench.database.name
    with bench.pair(sessions) as pair, ExitStack() as stack:

        def ours_append(session_id: str, turn: Turn) -> object:
            return append(pair.ledger, session_id, turn)

        raws = [bench.database.lean(pair.raw_url) for _ in range(THREADS)]
        for raw in raws:
            stack.callback(raw.close)
        names = [str(place % sessions) for place in range(THREADS)]
        turns = Conversation().turns(500)
        ours = Crowd([ours_append] * THREADS, names, turns, scale.crowd_seconds)
        theirs = Crowd([raw.append for raw in raws], names, turns, scale.crowd_seconds)
        compared = compare(theirs.run, ours.run, rounds=scale.crowds)
        if theirs.errors:
            raise RuntimeError(f"raw failed: {theirs.errors[0]}")
        pair.verify(ours.acknowledged, theirs.acknowledged)
    judged, warm_up = sessions > 1, scale.crowds.warm_up
    bar = at_least(0.9 if name == "sqlite" else 0.6) if judged else None
    yield figure(case, name, compared, unit="/s", bar=bar, errors=len(ours.errors))
    yield Figure(
        case=f"{case}, fairness",
        database=name,
        against="raw",
        base=median(theirs.evenness[warm_up:]),
        ours=median(ours.evenness[warm_up:]),
        unit="slowest/fastest",
        ratio=None,
        bar=Bar(0.7, at_least=True, absolute=True) if judged else None,
        rounds=compared.rounds,
        errors=len(ours.errors),
    )
