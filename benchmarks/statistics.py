"""Statistics: whether each answer comes in less than a second at a million messages. A quick run has fewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import median
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.conversation import BEGIN
from benchmarks.figures import Bar, Figure
from benchmarks.growth import LARGE, filled
from chatledger import Ledger
from chatledger.services.statistics.service import Statistics

_FEW = 10_000
_ROUNDS = 5
_MONTH = {"since": BEGIN - timedelta(minutes=7), "until": BEGIN + timedelta(days=30)}

_ANSWERS: dict[str, Callable[[Statistics], object]] = {
    "overview": lambda found: found.overview(),
    "overview of a month": lambda found: found.overview(**_MONTH),  # type: ignore[arg-type] # mypy knows not which key
    "by model": lambda found: found.by_model(),
    "by user": lambda found: found.by_user(),
    "by session": lambda found: found.by_session(),
    "by day": lambda found: found.by_day(tz="Europe/Lisbon"),
    "latency": lambda found: found.latency(),
    "latency by model": lambda found: found.latency_by("model"),
    "latency by day": lambda found: found.latency_by_day(tz="Europe/Lisbon"),
    "latency by day and model": lambda found: found.latency_by_day(tz="Europe/Lisbon", split="model"),
    "context use": lambda found: found.context_use(),
}


def statistics(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of each answer."""
    size = min(_FEW if bench.quick else LARGE, bench.scale.long * 10)
    with Ledger(filled(bench, size)) as ledger:
        for name, ask in _ANSWERS.items():
            took = []
            for _ in range(_ROUNDS):
                with ledger.read() as uow:
                    start = perf_counter()
                    ask(uow.statistics)
                    took.append((perf_counter() - start) * 1000)
            yield Figure(
                case=f"statistics of {size:,}: {name}",
                database=bench.database.name,
                against="the first",
                base=took[0],
                ours=median(took),
                unit="ms",
                ratio=None,
                bar=Bar(1000, absolute=True),
                rounds=_ROUNDS,
            )
