"""Comparisons as users hand them in and hold them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from chatledger.enums import ComparisonKind, JudgeKind
from chatledger.schemas.fields import Amount, Count, Identifier, Input, Money, Name, Record, Text

#: A number that is one: no NaN, no infinity.
Score = Annotated[float, Field(allow_inf_nan=False)]
Preference = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ComparisonSession(Record):
    """A session in which a variant was recorded."""

    session_id: str
    variant: str
    #: The prompt that was put to it; None: it is no answer to one prompt.
    prompt_key: str | None
    created_at: datetime


class ComparisonGroup(Record):
    """What is compared with what."""

    group_id: str
    #: Whose it is.
    user_id: str | None
    kind: ComparisonKind
    title: str | None
    #: The names of the variants, in their order.
    variants: tuple[str, ...]
    created_at: datetime


class NewComparisonResult(Input):
    """A result to record."""

    #: What was asked. Results of the same prompt are compared with each other.
    prompt_key: Identifier
    variant_a: Identifier
    #: None: a measurement of one variant, and no verdict.
    variant_b: Identifier | None = None
    #: Who says so.
    judge: Identifier
    judge_kind: JudgeKind = JudgeKind.PERSON
    #: How much better the second did: 1 it won, 0 it lost, 0.5 a draw, or a grade between. None: no verdict, and no draw.
    preference: Preference | None = None
    #: The variant that the judge saw first.
    first: Identifier | None = None
    #: Numbers by criterion, for the first variant and for the second.
    scores_a: Mapping[Name, Score] | None = None
    scores_b: Mapping[Name, Score] | None = None
    #: Dollars.
    cost_a: Money | None = None
    cost_b: Money | None = None
    duration_a_ms: Count | None = None
    duration_b_ms: Count | None = None
    #: The prompt itself, where it lies in no session.
    prompt: Text | None = None
    notes: Text | None = None


class ComparisonResult(Record):
    """What a judge said."""

    group_id: str
    prompt_key: str
    variant_a: str
    #: None: a measurement of one variant.
    variant_b: str | None
    judge: str
    judge_kind: JudgeKind
    #: How much better the second did, from 0 to 1. None: no verdict.
    preference: float | None
    #: The variant that the judge saw first.
    first: str | None
    scores_a: dict[str, float] | None
    scores_b: dict[str, float] | None
    #: Dollars, exact.
    cost_a: Amount | None
    cost_b: Amount | None
    duration_a_ms: int | None
    duration_b_ms: int | None
    prompt: str | None
    notes: str | None
    created_at: datetime


def turned(fields: dict[str, Any]) -> dict[str, Any]:
    """The same result with the two variants in the other order."""
    changed = dict(fields)
    for name in ("variant", "scores", "cost"):
        changed[f"{name}_a"], changed[f"{name}_b"] = fields[f"{name}_b"], fields[f"{name}_a"]
    changed["duration_a_ms"], changed["duration_b_ms"] = fields["duration_b_ms"], fields["duration_a_ms"]
    if fields["preference"] is not None:
        changed["preference"] = 1 - fields["preference"]
    return changed
