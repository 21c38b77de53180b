"""What is counted of messages: the columns of `session_usage`, and what one message adds to each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column, type_coerce

from chatledger.dialects.types import Identifier, Whole
from chatledger.models import tables
from chatledger.services.rows import messages

usage = tables.session_usage

MEASURES = (
    "messages", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
    "total_tokens", "cost", "priced", "duration_ms", "timed", "outcomes", "errors", "interruptions",
)  # fmt: skip
"""The measures, in their order."""


def measures_of_message() -> dict[str, ColumnElement[Any]]:
    """What one message adds to each measure."""
    m = messages.c
    return {
        "messages": literal_column("1", Whole),
        **{
            name: func.coalesce(m[name], 0)
            for name in ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
        },
        "total_tokens": func.coalesce(
            m.tokens_used, func.coalesce(m.input_tokens, 0) + func.coalesce(m.output_tokens, 0)
        ),
        "cost": func.coalesce(type_coerce(m.cost, Whole), 0),
        "priced": _one_if(m.cost.is_not(None)),
        "duration_ms": func.coalesce(m.duration_ms, 0),
        "timed": _one_if(m.duration_ms.is_not(None)),
        "outcomes": _one_if(m.outcome.is_not(None)),
        "errors": _one_if(type_coerce(m.outcome, Identifier) == "error"),
        "interruptions": _one_if(type_coerce(m.outcome, Identifier) == "interrupted"),
    }


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return case((condition, 1), else_=0)
