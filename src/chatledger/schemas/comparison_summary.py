"""The statistics of a comparison."""

from __future__ import annotations

from chatledger.enums import JudgeKind
from chatledger.schemas.fields import Amount, Record


class Interval(Record):
    """A confidence interval."""

    low: float
    high: float


class Difference(Record):
    """How the second variant differs from the first in a measured number, on average over the prompts."""

    n: int
    """Prompts that were measured on both variants. If there are none, the smaller number of prompts of the two."""
    mean: float
    """The mean of the second variant minus the mean of the first."""
    interval: Interval | None
    """None: too few prompts."""
    test: str
    """`paired t`, or `Welch's t` if the variants have no prompt in common."""
    p_value: float | None
    ratio: float | None
    """The mean of the second variant divided by the mean of the first. None if the mean of the first is not positive."""
    ratio_interval: Interval | None
    """The ratios that the test does not reject (Fieller's interval). None if it has no bounds, because the mean of the
    first variant may be 0."""


class PositionBias(Record):
    """How well the variant that the judge saw first did, whichever variant it was."""

    n: int
    """Prompts with a verdict for which the order is known."""
    preference: float
    """The mean preference for the variant shown first. 0.5 means no bias."""
    interval: Interval | None
    test: str
    p_value: float | None
    first: dict[str, int]
    """How often each variant was shown first."""


class PairSummary(Record):
    """How the second variant did against the first. Each prompt counts once, with the mean of its trials and judges."""

    variant_a: str
    variant_b: str
    wins: int
    """Prompts that the second variant won."""
    losses: int
    draws: int
    n_total: int
    """Prompts with a verdict."""
    missing: int
    """Prompts that were judged without a verdict."""
    win_rate: float | None
    """The mean preference for the second variant, from 0 to 1. None: no verdicts."""
    standard_error: float | None
    interval: Interval | None
    test: str
    """`sign` if there are only wins, losses and draws, `Wilcoxon signed-rank` for grades."""
    p_value: float | None
    significant: bool
    """Whether the difference is statistically significant: the p-value is below 1 minus the confidence."""
    needed: int | None
    """Prompts that would be needed for a significant difference with a power of 0.8, if it is as large as measured. None
    if it is significant already, or if there is no difference."""
    cost: Difference | None
    """In dollars."""
    duration: Difference | None
    """In seconds."""
    scores: dict[str, Difference]
    """By criterion."""
    position: PositionBias | None


class VariantSummary(Record):
    """One variant against all others, and the means of what was measured of it."""

    variant: str
    wins: int
    losses: int
    draws: int
    n_total: int
    win_rate: float | None
    cost: float | None
    """The mean over the prompts, in dollars."""
    duration: float | None
    """The mean over the prompts, in seconds."""
    scores: dict[str, float]
    rating: float | None
    """The Bradley–Terry strength as an Elo number around 1,000, if there are more than two variants."""
    rating_interval: Interval | None


class Agreement(Record):
    """How often two judges agree about a prompt and a pair: on the winner, or on a draw."""

    judge_a: str
    judge_b: str
    n: int
    rate: float
    interval: Interval
    tau: float | None
    """Kendall's tau-b of their preferences. None if the preferences of one of them are all equal."""


class JudgeSummary(Record):
    """One judge: how much it judged, at which cost, and how well it agrees with itself."""

    judge: str
    kind: JudgeKind
    results: int
    cost: Amount | None
    """What its judgments cost in all, in dollars. Not part of the costs of the variants. None: no cost is known."""
    without_cost: int
    """Results without a known cost of the judgment. `cost` does not contain them."""
    duration: float | None
    """How long its judgments took in all, in seconds."""
    repeated: int
    """Prompts and pairs that it judged more than once (trials)."""
    consistency: float | None
    """How often two of its trials name the same winner, averaged over what it judged more than once."""


class PassRate(Record):
    """How often a variant passes a criterion, if every prompt is tried `k` times. The mean over the prompts."""

    variant: str
    criterion: str
    k: int
    prompts: int
    """Prompts with at least `k` trials. The others cannot be estimated, and are left out."""
    trials: int
    """Trials of these prompts."""
    pass_at_k: float
    """pass@k: the probability that at least one of `k` trials passes."""
    pass_at_k_interval: Interval | None
    pass_hat_k: float
    """pass^k: the probability that all of `k` trials pass."""
    pass_hat_k_interval: Interval | None


class ComparisonSummary(Record):
    """The statistics of a comparison."""

    group_id: str
    confidence: float
    """The confidence of the intervals, such as 0.95. A difference is significant if its p-value is below 1 minus it."""
    results: int
    judges: tuple[str, ...]
    variants: tuple[VariantSummary, ...]
    pairs: tuple[PairSummary, ...]
    agreements: tuple[Agreement, ...]
    judging: tuple[JudgeSummary, ...]
    """By judge: what the judgments cost, and whether repeated judgments agree."""
