"""Writes the price list that comes with the package, from LiteLLM's file of a day.

python -m tests.exchange.price_list_file model_prices_and_context_window.json 2026-11-30
"""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from chatledger.exchange.readers.price_lists import read_prices
from chatledger.exchange.readers.shipped_prices import NAME

_PROVIDERS = ("anthropic", "openai", "gemini", "mistral", "xai", "deepseek", "cohere_chat", "moonshot", "zai")
_SOURCE = "LiteLLM, model_prices_and_context_window.json"
_PRICES = ("input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning")


def _write(source: str, day: str) -> None:
    """Write the list from LiteLLM's file: models that are paid by token, without the provider before their names."""
    rows: dict[str, dict[str, Any]] = {}
    for row in read_prices(source):
        if row.get("provider") not in _PROVIDERS or not {"input", "output"} <= row.keys():
            continue
        name = row["model_id"].rpartition("/")[2]
        if name.startswith("ft:") or any(kind in name for kind in ("realtime", "audio", "image", "transcribe", "tts")):
            continue
        kept = {key: row[key] for key in (*_PRICES, "tiers", "provider", "context_window") if row.get(key) is not None}
        rows[name] = {"model_id": name, **kept}
    listed = ",\n".join(json.dumps(rows[name], default=_number) for name in sorted(rows))
    head = {"source": _SOURCE, "date": date.fromisoformat(day).isoformat()}
    text = json.dumps(head)[:-1] + f', "prices": [\n{listed}\n]}}\n'
    Path(str(files("chatledger.exchange").joinpath(NAME))).write_text(text, "utf-8")


def _number(value: Decimal) -> float:
    """Prices have so few digits that a float gives back the same."""
    found = float(value)
    assert Decimal(repr(found)) == value
    return int(found) if found.is_integer() else found


if __name__ == "__main__":
    _write(*sys.argv[1:])
