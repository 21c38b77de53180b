"""The statistics of a comparison: by pair, by variant, by judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations
from statistics import fmean
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas import (
    Agreement,
    ComparisonGroup,
    ComparisonResult,
    ComparisonSummary,
    Difference,
    Interval,
    JudgeSummary,
    PairSummary,
    PositionBias,
    VariantSummary,
)
from chatledger.services.comparisons.repeated import consistency, winner
from chatledger.services.comparisons.significance import difference, tau, verdict, wilson

Pair = tuple[str, str]
Measured = dict[str, float]
"""A number for each prompt."""


def summarise(
    group: ComparisonGroup, results: Sequence[ComparisonResult], *, confidence: Any = 0.95
) -> ComparisonSummary:
    """Summarize the results of a comparison.

    Raises:
        InvalidInput: a confidence that is not between 0.5 and 1.
    """
    confidence = require_confidence(confidence)
    measures = _Measures(results)
    judged: dict[Pair, list[ComparisonResult]] = defaultdict(list)
    for result in results:
        if result.variant_b is not None:
            judged[result.variant_a, result.variant_b].append(result)
    pairs = [
        _pair(pair, judged.get(pair, []), measures, confidence)
        for pair in combinations(group.variants, 2)
        if pair in judged or all(measures.knows(variant) for variant in pair)
    ]
    return ComparisonSummary(
        group_id=group.group_id,
        confidence=confidence,
        results=len(results),
        judges=tuple(sorted({result.judge for result in results})),
        variants=tuple(_variants(group.variants, judged, measures, confidence)),
        pairs=tuple(pairs),
        agreements=tuple(_agreements(results, confidence)),
        judging=tuple(_judging(results)),
    )


def require_confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 < value < 1:
        raise InvalidInput("confidence", "must be between 0.5 and 1, such as 0.95")
    return float(value)


class _Measures:
    """Costs, times and scores by variant and prompt: the mean of the results, each of which is a mean of trials."""

    def __init__(self, results: Sequence[ComparisonResult]) -> None:
        found: dict[tuple[str, str, str], _Trials] = defaultdict(_Trials)
        for result in results:
            for side, variant in (("a", result.variant_a), ("b", result.variant_b)):
                if variant is None:
                    continue
                cost, took = getattr(result, f"cost_{side}"), getattr(result, f"duration_{side}_ms")
                if cost is not None:
                    found[variant, "cost", ""].add(result, float(cost))
                if took is not None:
                    found[variant, "duration", ""].add(result, took / 1000)
                for criterion, score in (getattr(result, f"scores_{side}") or {}).items():
                    found[variant, "score", criterion].add(result, score)
        self._found = {key: trials.by_prompt() for key, trials in found.items()}
        self.criteria = sorted({criterion for _, kind, criterion in self._found if kind == "score"})

    def knows(self, variant: str) -> bool:
        return any(variant == known for known, _, _ in self._found)

    def of(self, variant: str, kind: str, criterion: str = "") -> Measured:
        return self._found.get((variant, kind, criterion), {})

    def mean(self, variant: str, kind: str, criterion: str = "") -> float | None:
        values = self.of(variant, kind, criterion).values()
        return fmean(values) if values else None

    def difference(self, pair: Pair, confidence: float, kind: str, criterion: str = "") -> Difference | None:
        a, b = (self.of(variant, kind, criterion) for variant in pair)
        return difference(a, b, confidence)


class _Trials:
    """Numbers by prompt. Trials are averaged first, then judges and pairs: a repeated judgment does not count more."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, str, str | None], list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, result: ComparisonResult, value: float) -> None:
        self._found[result.prompt_key][result.judge, result.variant_a, result.variant_b].append(value)

    def by_prompt(self) -> Measured:
        return {prompt: _mean([_mean(trials) for trials in by.values()]) for prompt, by in self._found.items()}


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if len(values) > 1 else values[0]


def _by_prompt(results: Sequence[ComparisonResult], *, shown_first: bool = False) -> Measured:
    """Return the preference for each prompt: for the second variant, or for the one that was shown first."""
    found = _Trials()
    for result in results:
        if result.preference is not None:
            found.add(result, _of(result, str(result.first)) if shown_first else result.preference)
    return found.by_prompt()


def _pair(pair: Pair, results: Sequence[ComparisonResult], measures: _Measures, confidence: float) -> PairSummary:
    a, b = pair
    preferences = _by_prompt(results)
    values = list(preferences.values())
    found = verdict(values, confidence) if values else None
    scores = {name: measures.difference(pair, confidence, "score", name) for name in measures.criteria}
    significant = found is not None and found.p_value is not None and found.p_value < 1 - confidence
    return PairSummary(
        variant_a=a,
        variant_b=b,
        **_counts(values),
        missing=len({result.prompt_key for result in results if result.preference is None} - preferences.keys()),
        win_rate=found.mean if found else None,
        standard_error=found.standard_error if found else None,
        interval=found.interval if found else None,
        test=found.test if found else "none",
        p_value=found.p_value if found else None,
        significant=significant,
        needed=found.needed if found else None,
        cost=measures.difference(pair, confidence, "cost"),
        duration=measures.difference(pair, confidence, "duration"),
        scores={name: gap for name, gap in scores.items() if gap is not None},
        position=_position(pair, results, confidence),
    )


def _counts(values: Sequence[float]) -> dict[str, int]:
    wins, losses = sum(value > 0.5 for value in values), sum(value < 0.5 for value in values)
    return {"wins": wins, "losses": losses, "draws": len(values) - wins - losses, "n_total": len(values)}


def _position(pair: Pair, results: Sequence[ComparisonResult], confidence: float) -> PositionBias | None:
    a, b = pair
    known = [result for result in results if result.preference is not None and result.first is not None]
    if not known:
        return None
    found = verdict(list(_by_prompt(known, shown_first=True).values()), confidence)
    return PositionBias(
        n=found.n,
        preference=found.mean,
        interval=found.interval,
        test=found.test,
        p_value=found.p_value,
        first={name: sum(result.first == name for result in known) for name in (a, b)},
    )


def _of(result: ComparisonResult, variant: str) -> float:
    """Return the preference for one of the two."""
    assert result.preference is not None
    return result.preference if variant == result.variant_b else 1 - result.preference


def _variants(
    names: Sequence[str], judged: dict[Pair, list[ComparisonResult]], measures: _Measures, confidence: float
) -> Iterator[VariantSummary]:
    preferences = {pair: _by_prompt(results) for pair, results in judged.items()}
    rated = _rated(preferences, confidence) if len(names) > 2 else {}
    for name in names:
        values = [
            value if name == pair[1] else 1 - value
            for pair, prompts in preferences.items()
            if name in pair
            for value in prompts.values()
        ]
        scores = {criterion: measures.mean(name, "score", criterion) for criterion in measures.criteria}
        rating, interval = rated.get(name, (None, None))
        yield VariantSummary(
            variant=name,
            **_counts(values),
            win_rate=fmean(values) if values else None,
            cost=measures.mean(name, "cost"),
            duration=measures.mean(name, "duration"),
            scores={criterion: score for criterion, score in scores.items() if score is not None},
            rating=rating,
            rating_interval=interval,
        )


def _rated(preferences: dict[Pair, Measured], confidence: float) -> dict[str, tuple[float, Interval | None]]:
    from chatledger.services.comparisons.rating import ratings  # noqa: PLC0415 - two variants need none

    prompts: dict[str, dict[Pair, float]] = defaultdict(dict)
    for pair, values in preferences.items():
        for prompt, value in values.items():
            prompts[prompt][pair] = value
    compared = sorted({name for pair, values in preferences.items() if values for name in pair})
    return dict(ratings(compared, [prompts[key] for key in sorted(prompts)], confidence)) if prompts else {}


def _said(results: Sequence[ComparisonResult]) -> dict[str, dict[tuple[str, str, str | None], list[float]]]:
    """Return the preferences of each judge by prompt and pair, a number for each trial."""
    said: dict[str, dict[tuple[str, str, str | None], list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.preference is not None:
            said[result.judge][result.prompt_key, result.variant_a, result.variant_b].append(result.preference)
    return said


def _agreements(results: Sequence[ComparisonResult], confidence: float) -> Iterator[Agreement]:
    said = _said(results)
    for one, other in combinations(sorted(said), 2):
        shared = sorted(said[one].keys() & said[other].keys(), key=str)
        if shared:
            first, second = ([_mean(said[judge][key]) for key in shared] for judge in (one, other))
            hits = sum(winner(a) == winner(b) for a, b in zip(first, second, strict=True))
            yield Agreement(
                judge_a=one,
                judge_b=other,
                n=len(shared),
                rate=hits / len(shared),
                interval=wilson(hits, len(shared), confidence),
                tau=tau(first, second),
            )


def _judging(results: Sequence[ComparisonResult]) -> Iterator[JudgeSummary]:
    said = _said(results)
    for judge in sorted({result.judge for result in results}):
        of_judge = [result for result in results if result.judge == judge]
        costs = [result.judge_cost for result in of_judge if result.judge_cost is not None]
        times = [result.judge_duration_ms for result in of_judge if result.judge_duration_ms is not None]
        repeated, rate = consistency(said[judge].values())
        yield JudgeSummary(
            judge=judge,
            kind=of_judge[0].judge_kind,
            results=len(of_judge),
            cost=sum(costs, Decimal(0)) if costs else None,
            without_cost=len(of_judge) - len(costs),
            duration=sum(times) / 1000 if times else None,
            repeated=repeated,
            consistency=rate,
        )
