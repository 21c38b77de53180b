"""An entry of the price list that LiteLLM publishes: dollars for one token, by names that spell out what they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

from chatledger.schemas.fields import MAX_COUNT

SAMPLE = "sample_spec"
"""The entry that explains the others."""

_KINDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
}
# An older name, which counts where the other one is missing.
_CACHE_HIT = "input_cost_per_token_cache_hit"
_PRICE = re.compile(rf"({'|'.join(sorted(_KINDS, key=len, reverse=True))})(?:_above_(\d+)k_tokens)?(?:_([a-z]+))?")
_TIERS = {"batches": "batch"}
_NANO = Decimal(1).scaleb(-9)

Amounts = dict[tuple[str, int], dict[str, Decimal]]
"""By service tier and tokens above which it applies."""


def row_of(model_id: str, item: Any) -> dict[str, Any]:
    """The row of a price list. `not_stored` names prices that it has no place for."""
    if not isinstance(item, Mapping):
        return {"problem": "is not an object"}
    found: Amounts = {}
    not_stored = []
    # The older name first, so that the newer one replaces it.
    for name, value in sorted(item.items(), key=lambda one: one[0] != _CACHE_HIT):
        if not _is_price(name, value):
            continue
        match = _PRICE.fullmatch(name)
        try:
            if match is not None:
                kind, above, tier = match.groups()
                key = (_TIERS.get(tier, tier) or "", int(above or 0) * 1000)
                found.setdefault(key, {})[_KINDS[kind]] = _per_million(name, value)
            elif name == _CACHE_HIT:
                found.setdefault(("", 0), {})["cached_input"] = _per_million(name, value)
            elif name != "tiered_pricing" or not _add_ranges(found, value):
                not_stored.append(name)
        except ValueError as error:
            return {"problem": str(error)}
    not_stored = [name for name in not_stored if item[name]]
    if not any(amount for amounts in found.values() for amount in amounts.values()) and (not_stored or not found):
        # Billed by images, seconds or pages: a price of nothing for its tokens would be wrong.
        return {"not_stored": not_stored, "without_token_prices": True}
    row: dict[str, Any] = {"model_id": model_id, "not_stored": not_stored, **found.pop(("", 0), {})}
    tiers = [
        {"service_tier": tier or None, "above_tokens": above, **amounts}
        for (tier, above), amounts in sorted(found.items())
    ]
    if tiers:
        row["tiers"] = tiers
    window = item.get("max_input_tokens")
    if type(window) is int:
        row["context_window"] = window
    if isinstance(item.get("litellm_provider"), str):
        row["provider"] = item["litellm_provider"]
    return row


def _is_price(name: str, value: Any) -> bool:
    return value is not None and ("cost" in name or "pricing" in name)


def _add_ranges(found: Amounts, ranges: Any) -> bool:
    """Take prices by ranges of input tokens. False: they are for something else.

    Raises:
        ValueError: a price that is not a number.
    """
    if not isinstance(ranges, list) or not all(isinstance(one, Mapping) and "range" in one for one in ranges):
        return False
    for one in ranges:
        bounds = one["range"]
        if not isinstance(bounds, list) or not bounds or not _is_count(bounds[0]):
            raise ValueError("tiered_pricing has a range without a beginning")
        amounts = {_KINDS[name]: _per_million(name, value) for name, value in one.items() if name in _KINDS}
        found.setdefault(("", int(bounds[0])), {}).update(amounts)
    return True


def _per_million(name: str, price: Any) -> Decimal:
    if isinstance(price, bool) or not isinstance(price, int | Decimal):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004 - the caller reports it
    try:
        return (Decimal(price) * 10**6).quantize(_NANO)
    except (InvalidOperation, Overflow):
        raise ValueError(f"{name} is out of bounds") from None


def _is_count(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
