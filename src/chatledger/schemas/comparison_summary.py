"""What the results of a comparison come to."""

from __future__ import annotations

from chatledger.schemas.fields import Record


class Interval(Record):
    """From where to where."""

    low: float
    high: float


class Difference(Record):
    """How much more the second variant has of something than the first, on average."""

    #: Prompts that were measured: on both, or where none is shared, of the smaller side.
    n: int
    mean: float
    #: None: too few to say.
    interval: Interval | None
    #: Such as `paired t`, or `Welch's t` where the two share no prompt.
    test: str
    p_value: float | None


class PositionBias(Record):
    """How well the variant did that the judge saw first, whichever it was."""

    #: Verdicts of which it is known.
    n: int
    #: The mean preference for what stood first. 0.5 is no bias.
    preference: float
    interval: Interval | None
    test: str
    p_value: float | None
    #: How often each variant stood first.
    first: dict[str, int]


class PairSummary(Record):
    """Two variants: how the second did against the first. The prompt is what counts: of several judges, their mean."""

    variant_a: str
    variant_b: str
    #: Prompts that the second won, that it lost, and that nobody won.
    wins: int
    losses: int
    draws: int
    #: Prompts with a verdict.
    n_total: int
    #: Prompts that were judged without one.
    missing: int
    #: The mean preference for the second, from 0 to 1. None: no verdicts.
    win_rate: float | None
    standard_error: float | None
    interval: Interval | None
    #: Such as `sign` where there are wins, losses and draws only, or `Wilcoxon signed-rank` for grades.
    test: str
    p_value: float | None
    #: Whether the test tells the two apart.
    told: bool
    #: Prompts that it would take to tell, with a power of 0.8 and if the difference is what it seems; None when it is
    #: told already, or when there is nothing to go by.
    needed: int | None
    #: Costs in dollars, times in seconds, scores by criterion: second less first.
    cost: Difference | None
    duration: Difference | None
    scores: dict[str, Difference]
    position: PositionBias | None


class VariantSummary(Record):
    """One variant against all others, and what was measured of it."""

    variant: str
    wins: int
    losses: int
    draws: int
    n_total: int
    win_rate: float | None
    #: Means over the prompts, in dollars and seconds.
    cost: float | None
    duration: float | None
    scores: dict[str, float]
    #: Bradley–Terry strength as an Elo number around 1,000, where there are more than two variants.
    rating: float | None
    rating_interval: Interval | None


class Agreement(Record):
    """How often two judges say the same of the same prompt and pair: who won, or nobody."""

    judge_a: str
    judge_b: str
    n: int
    rate: float
    interval: Interval
    #: Kendall's tau-b of their preferences; None where one of them always says the same.
    tau: float | None


class ComparisonSummary(Record):
    """The whole of a comparison."""

    group_id: str
    #: Of the intervals, such as 0.95. What is told has a p-value below the rest.
    confidence: float
    results: int
    judges: tuple[str, ...]
    variants: tuple[VariantSummary, ...]
    pairs: tuple[PairSummary, ...]
    agreements: tuple[Agreement, ...]
