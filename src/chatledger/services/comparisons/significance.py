"""Tests and intervals: which of SciPy's fits the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatledger.errors import MissingExtra
from chatledger.schemas import Difference, Interval

try:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import stats
except ImportError as error:
    raise MissingExtra("stats", "the summary of a comparison") from error

#: The chance to see a difference that is there, for which samples are planned.
POWER = 0.8
_MOST = 10**7
#: Decimals of a preference that are not the rounding of a float.
_DIGITS = 12


@dataclass(frozen=True)
class Verdict:
    """A mean of numbers between 0 and 1, held against 0.5."""

    n: int
    mean: float
    standard_error: float | None
    interval: Interval | None
    test: str
    p_value: float | None
    needed: int | None


def verdict(values: Sequence[float], confidence: float) -> Verdict:
    """Preferences against a draw. Wins and losses are counted; grades are ranked."""
    array = np.asarray(values, dtype=float)
    n = len(array)
    error = float(stats.sem(array)) if n > 1 else None
    counted = set(array.tolist()) <= {0.0, 0.5, 1.0}
    # Rounded, or 0.3 and 0.7 would not lie equally far from a draw: floats differ in their last digit, and so ranks.
    gaps = np.round(array - 0.5, _DIGITS)
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    if not wins + losses:
        test, p_value = "sign" if counted else "Wilcoxon signed-rank", None
    elif counted:
        test, p_value = "sign", float(stats.binomtest(wins, wins + losses).pvalue)
    else:
        test = "Wilcoxon signed-rank"
        p_value = float(stats.wilcoxon(gaps).pvalue)
    if counted and wins + losses == n:
        found = stats.binomtest(wins, n).proportion_ci(confidence, method="wilson")
        interval: Interval | None = Interval(low=float(found.low), high=float(found.high))
    else:
        interval = _around(float(array.mean()), error, n, confidence)
        if interval is not None:
            interval = Interval(low=max(0.0, interval.low), high=min(1.0, interval.high))
    told = p_value is not None and p_value < 1 - confidence
    return Verdict(n, float(array.mean()), error, interval, test, p_value, None if told else _needed(array, confidence))


def difference(a: dict[str, float], b: dict[str, float], confidence: float) -> Difference | None:
    """How much more the second has than the first: by prompt where both have some, else of the two as they are."""
    shared = sorted(a.keys() & b.keys())
    if shared:
        gaps = np.array([b[key] - a[key] for key in shared])
        mean, n, test = float(gaps.mean()), len(shared), "paired t"
        if n < 2 or not _varies(gaps):
            return Difference(n=n, mean=mean, interval=None, test=test, p_value=None)
        result: Any = stats.ttest_1samp(gaps, 0.0)
    elif a and b:
        one, two = np.array([a[key] for key in sorted(a)]), np.array([b[key] for key in sorted(b)])
        mean, n, test = float(two.mean() - one.mean()), min(len(one), len(two)), "Welch's t"
        if n < 2 or not (_varies(one) and _varies(two)):
            return Difference(n=n, mean=mean, interval=None, test=test, p_value=None)
        result = stats.ttest_ind(two, one, equal_var=False)
    else:
        return None
    found = result.confidence_interval(confidence)
    interval = Interval(low=float(found.low), high=float(found.high))
    return Difference(n=n, mean=mean, interval=interval, test=test, p_value=float(result.pvalue))


def _varies(array: NDArray[np.float64]) -> bool:
    """Whether numbers differ by more than they were rounded."""
    return bool(np.ptp(array) > 1e-9 * np.abs(array).max())


def share(hits: int, n: int, confidence: float) -> Interval:
    """The interval of a share."""
    found = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return Interval(low=float(found.low), high=float(found.high))


def tau(a: Sequence[float], b: Sequence[float]) -> float | None:
    """How far two rank alike, from -1 to 1; None where one of them does not rank at all."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return float(stats.kendalltau(a, b).statistic)


def _around(mean: float, error: float | None, n: int, confidence: float) -> Interval | None:
    if not error:
        return None
    low, high = stats.t.interval(confidence, n - 1, loc=mean, scale=error)
    return Interval(low=float(low), high=float(high))


def _needed(array: NDArray[np.float64], confidence: float) -> int | None:
    """How many prompts a t-test would take to tell this mean from 0.5, by the power of the noncentral t."""
    deviation = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    gap = abs(float(array.mean()) - 0.5)
    if not deviation or not gap:
        return None
    effect = gap / deviation

    def power(n: int) -> float:
        limit = float(stats.t.isf((1 - confidence) / 2, n - 1))
        return float(stats.nct.sf(limit, n - 1, effect * n**0.5))

    low, high = 1, 2
    while power(high) < POWER:
        low, high = high, high * 2
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return max(high, len(array) + 1)
