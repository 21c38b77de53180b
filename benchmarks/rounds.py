"""The method: two ways of doing the same thing take turns, in rounds so short that a drift of the machine meets both.

Each round gives one ratio; what is reported is the median of the ratios, and beside it the median of the times. A first
round warms up and is thrown away. Which way goes first changes from round to round. Where the ratios lie far apart,
somebody else used the machine, and more rounds are made, up to three times as many.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

Batch = Callable[[int], object]
"""Does the work of one round, given the number of the round."""

Measured = Callable[[int], float]
"""Does the work of one round and says how it measures: seconds, or a rate."""

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


def alternate(base: Batch, ours: Batch, *, calls: int, rounds: Rounds) -> Comparison:
    """Time two batches of so many calls each. Figures are microseconds a call."""

    def clocked(batch: Batch) -> Measured:
        def run(number: int) -> float:
            began = perf_counter()
            batch(number)
            return (perf_counter() - began) * 1e6 / calls

        return run

    return compare(clocked(base), clocked(ours), rounds=rounds)


def compare(base: Measured, ours: Measured, *, rounds: Rounds) -> Comparison:
    """Let two ways take turns. Round numbers rise from 0, the warm-up included, and are the same for both."""
    pairs: list[tuple[float, float]] = []
    number = 0
    while len(pairs) < rounds.least or (len(pairs) < rounds.most and _disturbed(pairs)):
        first, second = (base, ours) if number % 2 else (ours, base)
        one, two = _alone(first, number), _alone(second, number)
        number += 1
        if number > rounds.warm_up:
            pairs.append((one, two) if number % 2 == 0 else (two, one))
    ratios = [after / before for before, after in pairs]
    return Comparison(
        base=median(before for before, _ in pairs),
        ours=median(after for _, after in pairs),
        ratio=median(ratios),
        quartiles=_quartiles(ratios),
        rounds=len(pairs),
    )


def _alone(way: Measured, number: int) -> float:
    gc.collect()  # nobody pays for what the other has left
    return way(number)


def _disturbed(pairs: list[tuple[float, float]]) -> bool:
    ratios = [after / before for before, after in pairs]
    low, high = _quartiles(ratios)
    return high - low > _CALM * median(ratios)


def _quartiles(ratios: list[float]) -> tuple[float, float]:
    if len(ratios) < 2:
        return ratios[0], ratios[0]
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return low, high
