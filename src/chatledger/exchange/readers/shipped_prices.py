"""The price list that comes with the package: models of the large providers, as of one day.

`python -m tests.exchange.price_list_file FILE 2026-11-30` writes the file again, from LiteLLM's list of that day.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.resources import files
from typing import Any

NAME = "prices.json"


def shipped_prices() -> list[dict[str, Any]]:
    """The rows of the list, for `uow.models.import_prices`.

    They apply from the day of the list on: what older messages cost stays unknown, unless you know better and give
    prices for that time.
    """
    shipped = _shipped()
    begin = datetime.combine(date.fromisoformat(shipped["date"]), time(tzinfo=UTC))
    return [{"place": row["model_id"], **row, "effective_from": begin} for row in shipped["prices"]]


def price_list_date() -> date:
    """The day of the list."""
    return date.fromisoformat(_shipped()["date"])


def _shipped() -> dict[str, Any]:
    text = files("chatledger.exchange").joinpath(NAME).read_text("utf-8")
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found
