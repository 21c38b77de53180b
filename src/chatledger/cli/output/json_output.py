"""JSON for programs: one document, or a line for each item of a stream. Plain ASCII, so that any pipe carries it."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from chatledger.schemas import Usage


def write_document(value: Any) -> None:
    """One JSON document on standard output, indented."""
    sys.stdout.write(document(value))


def document(value: Any) -> str:
    """One JSON document, indented, with a line break at its end."""
    return json.dumps(value, default=_plain, indent=2) + "\n"


def write_line(value: Any) -> None:
    """One line of JSON Lines on standard output."""
    sys.stdout.write(encoded(value) + "\n")


def encoded(value: Any, *, ascii_only: bool = True) -> str:
    """JSON on one line."""
    return json.dumps(value, default=_plain, ensure_ascii=ascii_only)


def amount(dollars: Decimal) -> str:
    """Money, exact, without an exponent and without zeros at its end."""
    return format(dollars.normalize(), "f")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        # Averages and rates are counted from other fields, and shown as these are.
        found = dict(value) | {name: getattr(value, name) for name in type(value).model_computed_fields}
        if isinstance(value, Usage) and not value.cost_known:
            found["cost"] = None
        return found
    if isinstance(value, Decimal):
        return amount(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
