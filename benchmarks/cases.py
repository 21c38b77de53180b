"""Every case by its name, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import appending, growth, memory, peers, processes, reading, searching, starting, statistics, threads
from benchmarks.bench import Bench
from benchmarks.figures import Figure

Case = Callable[[Bench], Iterator[Figure]]

CASES: dict[str, Case] = {
    "append": appending.one_writer,
    "async": appending.asynchronous,
    "threads": threads.threads,
    "processes": processes.processes,
    "append-many": appending.many,
    "history": reading.history,
    "last": reading.last,
    "sessions": reading.sessions,
    "search": searching.search,
    "statistics": statistics.statistics,
    "start": starting.start,
    "peers": peers.peers,
    "memory": memory.memory,
    "growth": growth.growth,
}

FULL_ONLY = frozenset({"memory", "growth", "peers"})
"""Too slow, or too small to mean anything, in a quick run."""
ON_DEMAND = frozenset({"growth"})
"""Only when asked for."""


def chosen(only: list[str], *, quick: bool, large: bool) -> dict[str, Case]:
    """The cases to run: those that are named, else all that a run of this kind has."""
    if only:
        return {name: CASES[name] for name in CASES if name in only}
    left_out = (FULL_ONLY if quick else ON_DEMAND) - ({"growth"} if large else set())
    return {name: case for name, case in CASES.items() if name not in left_out}
