"""The page of a comparison."""

from __future__ import annotations

import math
from typing import Any, TextIO

from chatledger.html.environment import generate
from chatledger.report.comparison_data import ComparisonData, read_comparison_data
from chatledger.schemas.fields import whole
from chatledger.transactions import Transactions

# Ratings are shown between multiples of it.
_STEP = 50


def write_comparison(
    ledger: Transactions,
    group_id: str,
    out: TextIO,
    *,
    confidence: float = 0.95,
    judge: str | None = None,
    prompts: int = 50,
) -> None:
    """Write a page about a comparison, from one snapshot of the ledger: who won, how certain that is, and at which cost.

    The first `prompts` prompts are shown with the answers of all variants side by side, and with the verdicts; 0 shows
    none. If a variant was run several times, the first run is shown. With `judge`, only the results of that judge count.

    The page is one file. It runs no scripts, loads nothing from the network, and escapes every text. Unless `prompts` is
    0, it contains messages.

    Raises:
        ComparisonNotFound: no such group, or it belongs to another user.
        MissingExtra: SciPy is not installed.
        InvalidInput: a confidence that is not between 0.5 and 1, or a negative number of prompts.
    """
    whole(prompts, "prompts")
    with ledger.read() as uow:
        data = read_comparison_data(uow, group_id, confidence=confidence, judge=judge, prompts=prompts)
    for text in generate("comparison.html.jinja", **template_values(data)):
        out.write(text)


def template_values(data: ComparisonData) -> dict[str, Any]:
    """Return what the template of the page needs."""
    group = data.group
    return {
        "title": group.title or f"Comparison {group.group_id}",
        "data": data,
        "group": group,
        "summary": data.summary,
        "color": {variant: number for number, variant in enumerate(group.variants)},
        "rating_scale": _rating_scale(data),
    }


def _rating_scale(data: ComparisonData) -> tuple[int, int] | None:
    """Return the least and the greatest rating of the plot, or None without ratings."""
    rated = [one for one in data.summary.variants if one.rating is not None]
    if not rated:
        return None
    low = min(one.rating_interval.low if one.rating_interval else one.rating or 0.0 for one in rated)
    high = max(one.rating_interval.high if one.rating_interval else one.rating or 0.0 for one in rated)
    return math.floor(low / _STEP) * _STEP, (math.floor(high / _STEP) + 1) * _STEP
