"""Repeated trials: pass@k and pass^k, and whether a judge agrees with itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from math import comb
from statistics import fmean
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas import ComparisonResult, PassRate
from chatledger.schemas.fields import several, whole
from chatledger.services.comparisons.significance import share_interval

# For each prompt: its trials, and how many of them passed.
_Tried = dict[str, tuple[int, int]]


def pass_at_k(n: int, c: int, k: int) -> float:
    """Estimate the probability that at least one of `k` trials passes, if `c` of `n` trials passed.

    1 - C(n - c, k) / C(n, k): the unbiased estimator of pass@k for `k` up to `n`, from Chen et al. 2021, "Evaluating
    Large Language Models Trained on Code" (arXiv:2107.03374), equation 1.
    """
    return 1 - comb(n - c, k) / comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """Estimate the probability that all of `k` trials pass, if `c` of `n` trials passed.

    C(c, k) / C(n, k): the unbiased estimator of pass^k for `k` up to `n`, from Yao et al. 2024, "τ-bench: A Benchmark
    for Tool-Agent-User Interaction in Real-World Domains" (arXiv:2406.12045), section 3.
    """
    return comb(c, k) / comb(n, k)


def pass_rates(
    variants: Sequence[str],
    results: Iterable[ComparisonResult],
    criterion: str,
    *,
    threshold: float,
    k: int | Iterable[int] | None,
    confidence: float,
) -> list[PassRate]:
    """Return the pass rates of every variant that has scores of the criterion, by variant and `k`.

    A trial passes if its score is at least `threshold`. Without `k`: from 1 up to the number of trials that every prompt
    of the variant has.

    Raises:
        InvalidInput: a `k` for which no prompt of any variant has enough trials, or no scores of the criterion.
    """
    tried = _tried(results, criterion, threshold)
    if not tried:
        raise InvalidInput("criterion", "no result has a score of this criterion")
    most = max(n for prompts in tried.values() for n, _ in prompts.values())
    wanted = None if k is None else _wanted(k, most)
    return [
        _rate(variant, criterion, each, tried[variant], confidence)
        for variant in variants
        if variant in tried
        for each in wanted or range(1, min(n for n, _ in tried[variant].values()) + 1)
        if any(n >= each for n, _ in tried[variant].values())
    ]


def repeated_criteria(results: Iterable[ComparisonResult]) -> list[str]:
    """Return the criteria with scores of 0 and 1 only, of which some prompt was tried more than once."""
    values: dict[str, set[float]] = defaultdict(set)
    repeated = set()
    for result in results:
        for scores in (result.scores_a, result.scores_b):
            for criterion, score in (scores or {}).items():
                values[criterion].add(score)
                if result.trial > 1:
                    repeated.add(criterion)
    return sorted(criterion for criterion in repeated if values[criterion] <= {0.0, 1.0})


def consistency(preferences: Iterable[Sequence[float]]) -> tuple[int, float | None]:
    """Return how many lists have several preferences, and how often two of one list name the same winner."""
    rates = [
        fmean(winner(one) == winner(other) for one, other in combinations(trials, 2))
        for trials in preferences
        if len(trials) > 1
    ]
    return len(rates), fmean(rates) if rates else None


def winner(preference: float) -> int:
    """Return 1 if the second variant won, -1 if it lost, 0 for a draw."""
    return (preference > 0.5) - (preference < 0.5)


def _wanted(k: Any, most: int) -> list[int]:
    wanted = [whole(each, "k", 1) for each in ([k] if isinstance(k, int) else several(k, "k"))]
    if not wanted or max(wanted) > most:
        raise InvalidInput("k", f"must be at most {most}: no prompt has more trials")
    return sorted(set(wanted))


def _rate(variant: str, criterion: str, k: int, prompts: _Tried, confidence: float) -> PassRate:
    enough = [(n, c) for n, c in prompts.values() if n >= k]
    at_least_one, all_of_them = [pass_at_k(n, c, k) for n, c in enough], [pass_hat_k(n, c, k) for n, c in enough]
    return PassRate(
        variant=variant,
        criterion=criterion,
        k=k,
        prompts=len(enough),
        trials=sum(n for n, _ in enough),
        pass_at_k=fmean(at_least_one),
        pass_at_k_interval=share_interval(at_least_one, confidence),
        pass_hat_k=fmean(all_of_them),
        pass_hat_k_interval=share_interval(all_of_them, confidence),
    )


def _tried(results: Iterable[ComparisonResult], criterion: str, threshold: float) -> dict[str, _Tried]:
    """Count the trials of each prompt by variant. If several results score a trial, their mean counts."""
    scores: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for result in results:
        for variant, score in _scores(result, criterion):
            scores[variant, result.prompt_key, result.trial].append(score)
    tried: dict[str, _Tried] = defaultdict(dict)
    for (variant, prompt, _), found in scores.items():
        n, c = tried[variant].get(prompt, (0, 0))
        tried[variant][prompt] = (n + 1, c + (fmean(found) >= threshold))
    return tried


def _scores(result: ComparisonResult, criterion: str) -> Iterator[tuple[str, float]]:
    for variant, scores in ((result.variant_a, result.scores_a), (result.variant_b, result.scores_b)):
        if variant is not None and scores is not None and criterion in scores:
            yield variant, scores[criterion]
