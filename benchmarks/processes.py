"""Four processes that append to one database."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter, process_time

from benchmarks.appending import append
from benchmarks.bench import Bench, Pair
from benchmarks.conversation import Conversation
from benchmarks.databases import lean_connection
from benchmarks.figures import Figure, at_least, figure
from benchmarks.rounds import Sample, compare
from chatledger import Ledger

PROCESSES = 4


def processes(bench: Bench) -> Iterator[Figure]:
    """Throughput, each process appending to a session of its own; for information, how evenly they got their turns."""
    with bench.pair(PROCESSES) as pair:
        team = _Team(pair, bench.database.name, bench.scale.crowd_seconds)
        try:
            compared = compare(team.raw, team.ours, rounds=bench.scale.crowds)
        finally:
            team.close()
        pair.verify(team.acknowledged["ours"], team.acknowledged["raw"])
    yield figure(
        f"{PROCESSES} processes appending",
        bench.database.name,
        compared,
        unit="/s",
        bar=at_least(0.9 if bench.database.name == "sqlite" else 0.65),
        errors=team.errors,
    )
    base, ours = (median(team.evenness[way]) for way in ("raw", "ours"))
    yield Figure(
        case=f"{PROCESSES} processes, fairness",
        database=bench.database.name,
        against="raw",
        base=base,
        ours=ours,
        unit="slowest/fastest",
        ratio=None,
        bar=None,
        rounds=compared.rounds,
    )


class _Team:
    """Processes with both connections open, that do what they are told."""

    def __init__(self, pair: Pair, name: str, seconds: float) -> None:
        self.errors = 0
        # The slowest process's rate relative to the fastest's, for each round.
        self.evenness: dict[str, list[float]] = {"ours": [], "raw": []}
        self.acknowledged = {"ours": 0, "raw": 0}
        self._seconds = seconds
        context = multiprocessing.get_context("spawn")
        self._members = []
        for place in range(PROCESSES):
            here, there = context.Pipe()
            arguments = (there, name, pair.ledger_url, pair.raw_url, str(place))
            process = context.Process(target=_member, args=arguments, daemon=True)
            process.start()
            there.close()
            self._members.append((process, here))
        for _, pipe in self._members:
            pipe.recv()  # it is ready

    def ours(self, _number: int) -> Sample:
        return self._run("ours")

    def raw(self, _number: int) -> Sample:
        return self._run("raw")

    def _run(self, way: str) -> Sample:
        for _, pipe in self._members:
            pipe.send((way, self._seconds))
        rates, used, all_done = [], 0.0, 0
        for _, pipe in self._members:
            done, seconds, cpu, errors = pipe.recv()
            rates.append(done / seconds)
            used += cpu
            all_done += done
            self.errors += errors if way == "ours" else 0
        self.acknowledged[way] += all_done
        self.evenness[way].append(min(rates) / max(rates))
        return Sample(sum(rates), used * 1e6 / all_done)

    def close(self) -> None:
        for process, pipe in self._members:
            pipe.close()  # which the member reads as the end
            process.join(timeout=30)


def _member(pipe: Connection, name: str, ledger_url: str, raw_url: str, session_id: str) -> None:
    turns = Conversation(seed=10 + int(session_id)).turns(500)
    with Ledger(ledger_url) as ledger, closing(lean_connection(name, raw_url)) as raw:
        pipe.send("ready")
        while True:
            try:
                way, seconds = pipe.recv()
            except EOFError:
                return
            done = errors = 0
            began = now = perf_counter()
            cpu = process_time()
            for turn in cycle(turns):
                try:
                    if way == "ours":
                        append(ledger, session_id, turn)
                    else:
                        raw.append(session_id, turn)
                    done += 1
                except Exception:  # noqa: BLE001 - counted and reported
                    errors += 1
                now = perf_counter()
                if now - began > seconds:
                    break
            pipe.send((done, now - began, process_time() - cpu, errors))
