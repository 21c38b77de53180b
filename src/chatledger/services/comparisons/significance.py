"""Tests and intervals: the ones of SciPy that suit the data."""

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

POWER = 0.8
"""The probability of finding an existing difference, for which sample sizes are computed."""

_MOST = 10**7
# Decimals of a preference. The rest is the rounding of floats.
_DIGITS = 12


@dataclass(frozen=True)
class Verdict:
    """A mean of numbers between 0 and 1, compared with 0.5."""

    n: int
    mean: float
    standard_error: float | None
    interval: Interval | None
    test: str
    p_value: float | None
    needed: int | None


def verdict(values: Sequence[float], confidence: float) -> Verdict:
    """Compare preferences with a draw: wins and losses by a sign test, grades by Wilcoxon's signed-rank test."""
    array = np.asarray(values, dtype=float)
    n = len(array)
    error = float(stats.sem(array)) if n > 1 else None
    counted = set(array.tolist()) <= {0.0, 0.5, 1.0}
    # Rounded: otherwise 0.3 and 0.7 differ from 0.5 by different floats, and get different ranks.
    gaps = np.round(array - 0.5, _DIGITS)
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    if not wins + losses:
        test, p_value = "sign" if counted else "Wilcoxon signed-rank", None
    elif counted:
        test, p_value = "sign", float(stats.binomtest(wins, wins + losses).pvalue)
    else:
        test = "Wilcoxon signed-rank"
        p_value = float(stats.wilcoxon(gaps).pvalue)
    interval = share_interval(values, confidence)
    significant = p_value is not None and p_value < 1 - confidence
    return Verdict(
        n, float(array.mean()), error, interval, test, p_value, None if significant else _needed(array, confidence)
    )


def share_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Return the interval of a mean of numbers between 0 and 1: Wilson's if all are 0 or 1, else Student's t.

    None if there are too few numbers, or if they are all equal and not 0 or 1.
    """
    if set(values) <= {0.0, 1.0}:
        return wilson(round(sum(values)), len(values), confidence)
    error = float(stats.sem(values)) if len(values) > 1 else None
    if not error:
        return None
    low, high = stats.t.interval(confidence, len(values) - 1, loc=float(np.mean(values)), scale=error)
    return Interval(low=max(0.0, float(low)), high=min(1.0, float(high)))


def difference(a: dict[str, float], b: dict[str, float], confidence: float) -> Difference | None:
    """Compare the numbers of two variants: by prompt if they have any in common, else the two samples as they are."""
    shared = sorted(a.keys() & b.keys())
    if shared:
        one, two = np.array([a[key] for key in shared]), np.array([b[key] for key in shared])
        n, test = len(shared), "paired t"
        enough = n > 1 and _varies(two - one)
    elif a and b:
        one, two = np.array([a[key] for key in sorted(a)]), np.array([b[key] for key in sorted(b)])
        n, test = min(len(one), len(two)), "Welch's t"
        enough = n > 1 and _varies(one) and _varies(two)
    else:
        return None
    # Of the gaps, not of the means: their sum is rounded once.
    mean = float((two - one).mean()) if shared else float(two.mean() - one.mean())
    ratio = float(two.mean() / one.mean()) if one.mean() > 0 else None
    interval = p_value = None
    if enough:
        result: Any = stats.ttest_1samp(two - one, 0.0) if shared else stats.ttest_ind(two, one, equal_var=False)
        found = result.confidence_interval(confidence)
        interval, p_value = Interval(low=float(found.low), high=float(found.high)), float(result.pvalue)
    ratio_interval = _fieller(one, two, confidence, paired=bool(shared)) if n > 1 and ratio is not None else None
    return Difference(
        n=n, mean=mean, interval=interval, test=test, p_value=p_value, ratio=ratio, ratio_interval=ratio_interval
    )


def _fieller(one: NDArray[np.float64], two: NDArray[np.float64], confidence: float, *, paired: bool) -> Interval | None:
    """Return the interval of the ratio of the means of two and one, by Fieller's theorem.

    It contains each ratio r for which a t-test does not reject that the mean of two - r × one is 0. (E. C. Fieller 1954,
    "Some Problems in Interval Estimation", Journal of the Royal Statistical Society B 16.) Unpaired samples have Welch's
    degrees of freedom at the estimated ratio. None if the mean of one does not differ significantly from 0: then
    there are no bounds.
    """
    x, y = float(one.mean()), float(two.mean())
    xx, yy = float(one.var(ddof=1)) / len(one), float(two.var(ddof=1)) / len(two)
    xy = float(np.cov(one, two)[0, 1]) / len(one) if paired else 0.0
    if paired:
        freedom = len(one) - 1.0
    else:
        parts = (y / x) ** 2 * xx, yy
        lower = parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(two) - 1)
        freedom = (parts[0] + parts[1]) ** 2 / lower if lower else 1.0
    square = float(stats.t.ppf((1 + confidence) / 2, freedom)) ** 2
    # The bounds r solve (y - r x)² = t² (yy - 2 r xy + r² xx).
    leading, middle, last = x * x - square * xx, x * y - square * xy, y * y - square * yy
    root = middle * middle - leading * last
    if leading <= 0 or root <= 0:
        return None
    low, high = (middle - root**0.5) / leading, (middle + root**0.5) / leading
    return Interval(low=low, high=high)


def _varies(array: NDArray[np.float64]) -> bool:
    """Whether numbers differ by more than the rounding of floats."""
    return bool(np.ptp(array) > 1e-9 * np.abs(array).max())


def wilson(hits: int, n: int, confidence: float) -> Interval:
    """Return Wilson's interval of a share."""
    found = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return Interval(low=float(found.low), high=float(found.high))


def tau(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Kendall's tau-b, from -1 to 1, or None if the numbers of one list are all equal."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return float(stats.kendalltau(a, b).statistic)


def _needed(array: NDArray[np.float64], confidence: float) -> int | None:
    """Return how many prompts a t-test needs to tell this mean from 0.5, by the power of the noncentral t."""
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
