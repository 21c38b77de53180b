"""The method: two ways of doing the same thing take turns, in rounds so short that a drift of the machine meets both.

Each round gives one ratio; what is reported is the median of the ratios with their quartiles, and beside it the median
of the times. A first round warms up and is thrown away. Which way goes first changes from round to round. Where the
ratios lie far apart, somebody else used the machine, and more rounds are made, up to three times as many.

The processor time of this process is measured too. It varies less than the clock on a busy machine, and does not include
what a server or the disk does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import NamedTuple

Batch = Callable[[int], object]
"""Does the work of one round, given the number of the round."""


class Sample(NamedTuple):
    """What one round measures."""

    value: float
    """A time, or a rate."""
    cpu: float | None = None
    """The processor time of this process for each call, where that means something."""


Measured = Callable[[int], Sample]
"""Does the work of one round and says how it measures."""

# Half of the ratios may lie this far apart, relative to the median, before more rounds are made.
_CALM = 0.10


@dataclass(frozen=True)
class Rounds:
    """How many rounds to make: on a calm machine, and at the most. The warm-up comes on top."""

    least: int
    most: int
    warm_up: int = 1

    @property
    def all(self) -> int:
        return self.warm_up + self.most


@dataclass(frozen=True)
class Comparison:
    """What came of the rounds: medians, and the quartiles of the ratios."""

    base: float
    ours: float
    ratio: float
    quartiles: tuple[float, float]
    rounds: int
    cpu: tuple[float, float] | None = None
    """Processor time of this process for each call: base and ours."""
    cpu_ratio: float | None = None


def alternate(base: Batch, ours: Batch, *, calls: int, rounds: Rounds) -> Comparison:
    """Time two batches of so many calls each. Figures are microseconds a call."""

    def clocked(batch: Batch) -> Measured:
        def run(number: int) -> Sample:
            began, cpu = perf_counter(), process_time()
            batch(number)
            return Sample((perf_counter() - began) * 1e6 / calls, (process_time() - cpu) * 1e6 / calls)

        return run

    return compare(clocked(base), clocked(ours), rounds=rounds)


def compare(base: Measured, ours: Measured, *, rounds: Rounds) -> Comparison:
    """Let two ways take turns. Round numbers rise from 0, the warm-up included, and are the same for both."""
    pairs: list[tuple[Sample, Sample]] = []
    number = 0
    while len(pairs) < rounds.least or (len(pairs) < rounds.most and _disturbed(pairs)):
        first, second = (base, ours) if number % 2 else (ours, base)
        one, two = _alone(first, number), _alone(second, number)
        number += 1
        if number > rounds.warm_up:
            pairs.append((one, two) if number % 2 == 0 else (two, one))
    ratios = _ratios(pairs)
    used = [(before.cpu, after.cpu) for before, after in pairs if before.cpu and after.cpu]
    return Comparison(
        base=median(before.value for before, _ in pairs),
        ours=median(after.value for _, after in pairs),
        ratio=median(ratios),
        quartiles=_quartiles(ratios),
        rounds=len(pairs),
        cpu=(median(before for before, _ in used), median(after for _, after in used)) if used else None,
        cpu_ratio=median(after / before for before, after in used) if used else None,
    )


def _ratios(pairs: list[tuple[Sample, Sample]]) -> list[float]:
    return [after.value / before.value for before, after in pairs]


def _alone(way: Measured, number: int) -> Sample:
    gc.collect()  # nobody pays for what the other has left
    return way(number)


def _disturbed(pairs: list[tuple[Sample, Sample]]) -> bool:
    ratios = _ratios(pairs)
    low, high = _quartiles(ratios)
    return high - low > _CALM * median(ratios)


def _quartiles(ratios: list[float]) -> tuple[float, float]:
    if len(ratios) < 2:
        return ratios[0], ratios[0]
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return low, high
