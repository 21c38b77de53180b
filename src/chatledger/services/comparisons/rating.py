"""The rating of several variants: Bradley–Terry strengths, fitted by SciPy, with bootstrap intervals over prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from chatledger.schemas import Interval

Numbers = NDArray[np.float64]

# Rating points for odds of ten to one, and the mean of all ratings: the conventions of Elo.
_TEN_TO_ONE, _MIDDLE = 400.0, 1000.0
_SAMPLES = 200
_SEED = 20
# A weak prior, as if each variant had one draw against the mean: the likelihood of one that has won everything has no
# maximum.
_PULL = 0.5


def ratings(
    variants: Sequence[str], prompts: Sequence[Mapping[tuple[str, str], float]], confidence: float
) -> dict[str, tuple[float, Interval | None]]:
    """Return ratings with intervals, from the preferences for the second variant of each pair on each prompt."""
    number = {name: at for at, name in enumerate(variants)}
    tables = np.zeros((len(prompts), len(variants), len(variants)))
    for at, pairs in enumerate(prompts):
        for (a, b), preference in pairs.items():
            tables[at, number[b], number[a]] += preference
            tables[at, number[a], number[b]] += 1 - preference
    found = _fitted(tables.sum(axis=0))
    bounds: list[Interval | None] = [None] * len(variants)
    if len(prompts) > 1:
        draw = np.random.default_rng(_SEED)
        chosen = (draw.integers(0, len(prompts), len(prompts)) for _ in range(_SAMPLES))
        samples = np.array([_fitted(tables[sample].sum(axis=0)) for sample in chosen])
        lows, highs = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        bounds = [Interval(low=float(low), high=float(high)) for low, high in zip(lows, highs, strict=True)]
    return {name: (float(found[at]), bounds[at]) for name, at in number.items()}


def _fitted(wins: Numbers) -> Numbers:
    """Return the ratings with the maximum likelihood, given how often each row has beaten each column."""

    def loss(strengths: Numbers) -> tuple[float, Numbers]:
        gaps = strengths[:, None] - strengths[None, :]
        value = -float((wins * special.log_expit(gaps)).sum())
        value -= _PULL * float((special.log_expit(strengths) + special.log_expit(-strengths)).sum())
        lost = wins * special.expit(-gaps)
        pull = 2 * _PULL * (special.expit(strengths) - 0.5)
        return value, lost.sum(axis=0) - lost.sum(axis=1) + pull

    found: Numbers = optimize.minimize(loss, np.zeros(len(wins)), jac=True, method="L-BFGS-B").x
    rated: Numbers = (found - found.mean()) * (_TEN_TO_ONE / math.log(10)) + _MIDDLE
    return rated
