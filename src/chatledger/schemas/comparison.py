"""Comparisons as users pass them in and get them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from chatledger.enums import ComparisonKind, JudgeKind
from chatledger.schemas.fields import Amount, Count, Identifier, Input, Money, Name, Record, Text

Score = Annotated[float, Field(allow_inf_nan=False)]
Preference = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Trial = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class ComparisonSession(Record):
    """A session in which a variant was recorded."""

    session_id: str
    variant: str
    prompt_key: str | None
    """The prompt that the session answers. None: it does not answer a single prompt."""
    trial: int
    """Which run of the prompt the session is, starting at 1."""
    created_at: datetime


class ComparisonGroup(Record):
    """A comparison: its kind, its variants and its owner."""

    group_id: str
    user_id: str | None
    """The owner, or None."""
    kind: ComparisonKind
    title: str | None
    variants: tuple[str, ...]
    """The names of the variants in order. The others are compared with the first one."""
    created_at: datetime


class NewComparisonResult(Input):
    """A result to record."""

    prompt_key: Identifier
    """The prompt. Results of the same prompt are compared with each other."""
    variant_a: Identifier
    variant_b: Identifier | None = None
    """None: a measurement of one variant, without a verdict."""
    judge: Identifier
    judge_kind: JudgeKind = JudgeKind.PERSON
    trial: Trial = 1
    """Which of several results of this judge for this prompt: a repeated run, or a repeated judgment."""
    preference: Preference | None = None
    """How much better the second variant was: 1 if it won, 0 if it lost, 0.5 for a draw, or a grade between them.
    None: there is no verdict, which is not a draw."""
    first: Identifier | None = None
    """The variant that the judge saw first."""
    scores_a: Mapping[Name, Score] | None = None
    """Numbers of the first variant by criterion."""
    scores_b: Mapping[Name, Score] | None = None
    """Numbers of the second variant by criterion."""
    cost_a: Money | None = None
    """What the answer of the first variant cost, in dollars."""
    cost_b: Money | None = None
    duration_a_ms: Count | None = None
    duration_b_ms: Count | None = None
    judge_cost: Money | None = None
    """What the judgment itself cost, in dollars. It is not part of the costs of the variants."""
    judge_duration_ms: Count | None = None
    prompt: Text | None = None
    """The text of the prompt, if no session contains it."""
    notes: Text | None = None


class ComparisonResult(Record):
    """What a judge said, or what was measured. The fields are those of `NewComparisonResult`."""

    group_id: str
    prompt_key: str
    variant_a: str
    variant_b: str | None
    """None: a measurement of one variant."""
    judge: str
    judge_kind: JudgeKind
    trial: int
    preference: float | None
    """How much better the second variant was, from 0 to 1. None: no verdict."""
    first: str | None
    """The variant that the judge saw first."""
    scores_a: dict[str, float] | None
    scores_b: dict[str, float] | None
    cost_a: Amount | None
    """Dollars, exact."""
    cost_b: Amount | None
    duration_a_ms: int | None
    duration_b_ms: int | None
    judge_cost: Amount | None
    """What the judgment itself cost, in dollars."""
    judge_duration_ms: int | None
    prompt: str | None
    notes: str | None
    created_at: datetime


class ResultProblem(Record):
    """A row of a file of results that was not stored."""

    place: str
    """The line, or the position in a JSON list, starting at 1."""
    field: str
    """The field that is wrong, or `result` for the row as a whole."""
    reason: str


class ResultsReport(Record):
    """What an import of results did. False if a row was not stored."""

    dry_run: bool
    rows: int
    stored: int
    """New results."""
    replaced: int
    """Results that replaced another one."""
    unchanged: int
    """Results that the comparison already had."""
    problems: tuple[ResultProblem, ...]

    def __bool__(self) -> bool:
        return not self.problems


def swapped(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the same result with its two variants in the other order."""
    changed = dict(fields)
    for name in ("variant", "scores", "cost"):
        changed[f"{name}_a"], changed[f"{name}_b"] = fields[f"{name}_b"], fields[f"{name}_a"]
    changed["duration_a_ms"], changed["duration_b_ms"] = fields["duration_b_ms"], fields["duration_a_ms"]
    if fields["preference"] is not None:
        changed["preference"] = 1 - fields["preference"]
    return changed
