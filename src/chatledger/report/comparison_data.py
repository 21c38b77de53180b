"""The data of a comparison's page, read in one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from chatledger.enums import Role
from chatledger.schemas import (
    ComparisonGroup,
    ComparisonResult,
    ComparisonSession,
    ComparisonSummary,
    Interval,
    Message,
    PairSummary,
    PassRate,
)
from chatledger.unit_of_work import UnitOfWork

# Characters of a message that the page shows.
_SHOWN = 20_000


@dataclass(frozen=True)
class PairView:
    """A pair, from the point of view of the variant with the higher win rate."""

    pair: PairSummary
    ahead: str
    behind: str
    win_rate: float
    interval: Interval | None


@dataclass(frozen=True)
class AnswerView:
    """What a variant answered to a prompt in its first trial."""

    variant: str
    messages: list[tuple[str, str]]
    """Roles and texts, without the question if it is that of the prompt."""
    cost: Decimal | None
    duration_ms: int | None
    trials: int


@dataclass(frozen=True)
class VerdictView:
    """What a judge said about a pair."""

    result: ComparisonResult
    preferred: str | None
    """The variant that the judge prefers. None: a draw, or no verdict."""


@dataclass(frozen=True)
class PromptView:
    """A prompt with the answers and the verdicts."""

    key: str
    text: str | None
    answers: list[AnswerView]
    verdicts: list[VerdictView]


@dataclass(frozen=True)
class ComparisonData:
    """Everything that the page shows."""

    group: ComparisonGroup
    summary: ComparisonSummary
    pairs: dict[tuple[str, str], PairView]
    pass_rates: list[PassRate]
    prompts: list[PromptView]
    prompt_count: int

    @property
    def leader(self) -> tuple[str, list[PairView], list[PairView]] | None:
        """The variant with the highest rating or win rate, the pairs that it won, and those without a clear winner."""
        rated = [one for one in self.summary.variants if one.win_rate is not None]
        if not rated:
            return None
        best = max(rated, key=lambda one: (one.rating or 0.0, one.win_rate or 0.0)).variant
        views = [view for view in self.pairs.values() if best in (view.ahead, view.behind)]
        won = [view for view in views if view.pair.significant and view.ahead == best]
        return best, won, [view for view in views if not view.pair.significant]


def read_comparison_data(
    uow: UnitOfWork, group_id: str, *, confidence: float, judge: str | None, prompts: int
) -> ComparisonData:
    """Read the data of a page. `prompts` is the number of prompts that are shown with their answers."""
    from chatledger.services.comparisons.repeated import repeated_criteria  # noqa: PLC0415 - brings SciPy

    group = uow.comparisons.get(group_id)
    results = list(uow.comparisons.results(group_id, judge=judge))
    summary = uow.comparisons.summary(group_id, confidence=confidence, judge=judge)
    sessions = [each for each in uow.comparisons.sessions(group_id) if each.prompt_key is not None]
    keys = sorted({result.prompt_key for result in results} | {str(each.prompt_key) for each in sessions})
    return ComparisonData(
        group=group,
        summary=summary,
        pairs={(pair.variant_a, pair.variant_b): view for pair in summary.pairs if (view := _pair_view(pair))},
        pass_rates=[
            rate
            for criterion in repeated_criteria(results)
            for rate in uow.comparisons.pass_rates(group_id, criterion, judge=judge, confidence=confidence)
        ],
        prompts=list(_prompts(uow, group, keys[:prompts], results, sessions)),
        prompt_count=len(keys),
    )


def _pair_view(pair: PairSummary) -> PairView | None:
    if pair.win_rate is None:
        return None
    if pair.win_rate >= 0.5:
        return PairView(pair, pair.variant_b, pair.variant_a, pair.win_rate, pair.interval)
    turned = None if pair.interval is None else Interval(low=1 - pair.interval.high, high=1 - pair.interval.low)
    return PairView(pair, pair.variant_a, pair.variant_b, 1 - pair.win_rate, turned)


def _prompts(
    uow: UnitOfWork,
    group: ComparisonGroup,
    keys: Iterable[str],
    results: Iterable[ComparisonResult],
    sessions: Iterable[ComparisonSession],
) -> Iterator[PromptView]:
    results_of: dict[str, list[ComparisonResult]] = defaultdict(list)
    for result in results:
        results_of[result.prompt_key].append(result)
    sessions_of: dict[tuple[str, str], list[ComparisonSession]] = defaultdict(list)
    for session in sessions:
        sessions_of[str(session.prompt_key), session.variant].append(session)
    for key in keys:
        talks = {
            variant: (uow.messages.history(min(found, key=lambda one: one.trial).session_id), len(found))
            for variant in group.variants
            if (found := sessions_of[key, variant])
        }
        text = next((result.prompt for result in results_of[key] if result.prompt is not None), None)
        text = text or next((one.content for talk, _ in talks.values() for one in talk if one.role is Role.USER), None)
        yield PromptView(
            key=key,
            text=None if text is None else _shortened(text),
            answers=[_answer(variant, talk, text, trials) for variant, (talk, trials) in talks.items()],
            verdicts=[
                VerdictView(result, _preferred(result)) for result in results_of[key] if result.variant_b is not None
            ],
        )


def _answer(variant: str, talk: list[Message], question: str | None, trials: int) -> AnswerView:
    first = next((number for number, one in enumerate(talk) if one.role is Role.USER), None)
    shown = [one for number, one in enumerate(talk) if number != first or one.content != question]
    costs = [one.cost for one in talk if one.cost is not None]
    times = [one.duration_ms for one in talk if one.duration_ms is not None]
    return AnswerView(
        variant=variant,
        messages=[(one.role.value, _shortened(one.content)) for one in shown],
        cost=sum(costs, Decimal(0)) if costs else None,
        duration_ms=sum(times) if times else None,
        trials=trials,
    )


def _preferred(result: ComparisonResult) -> str | None:
    if result.preference is None or result.preference == 0.5:
        return None
    return result.variant_b if result.preference > 0.5 else result.variant_a


def _shortened(text: str) -> str:
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}\n… ({len(text) - _SHOWN:,} more characters)"
