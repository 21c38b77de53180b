"""What a message costs, calculated exactly from its tokens and a price.

Cached tokens and cache writes are part of the input, one-hour writes part of the cache writes, and reasoning tokens
part of the output. Each kind of token is multiplied by its price; the sum is divided by a million once, and rounded
half to even, to a nano-dollar. The same calculation is an expression for the database in `services.registry.pricing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from chatledger.dialects.types import dollars, nanos
from chatledger.schemas.fields import MAX_COST

MILLION = 10**6
MOST = nanos(MAX_COST)
"""The highest cost of a message, in nano-dollars."""
KINDS = ("input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning")
"""The kinds of prices that a cost is calculated from, in their columns' order."""
PLAIN_COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
"""Counts that most messages have, if they have any."""
DETAILS = ("cache_write_tokens", "cache_write_1h_tokens", "unpriced_units", "service_tier")
"""What else decides a cost. A message without these is appended by a shorter statement."""
COUNTS = (*PLAIN_COUNTS, *DETAILS)
"""The columns of a message that decide its cost, beside its model and its time."""

Amounts = Sequence[int | None]
"""Nano-dollars per million tokens, in the order of `KINDS`."""


class Cost(NamedTuple):
    """The cost of a message and the price it was calculated with; all None if it is unknown."""

    cost: Decimal | None
    priced_from: datetime | None
    priced_as: str | None
    """The model whose price it is, if that is not the message's own model."""


UNKNOWN = Cost(None, None, None)


def is_countable(row: Mapping[str, Any]) -> bool:
    """Whether a message says enough of its tokens, and nothing of its cost."""
    return row["cost"] is None and (row["input_tokens"] is not None or row["output_tokens"] is not None)


def cost_of(counts: Mapping[str, Any], amounts: Amounts) -> int | None:
    """Nano-dollars for the counts of a message, at prices without fallbacks. None: the cost is unknown."""
    if (counts["input_tokens"] is None and counts["output_tokens"] is None) or counts["unpriced_units"]:
        return None
    given, written, cached, reasoned = (counts[name] or 0 for name in PLAIN_COUNTS)
    stored, long = (counts[name] or 0 for name in ("cache_write_tokens", "cache_write_1h_tokens"))
    if cached + stored > given or long > stored or reasoned > written:
        return None
    total = 0
    by_kind = (given - cached - stored, written - reasoned, cached, stored - long, long, reasoned)
    for count, each in zip(by_kind, amounts, strict=True):
        if count and each is None:
            return None
        total += count * (each or 0)
    cost, rest = divmod(total, MILLION)
    half = MILLION // 2
    cost += rest > half or (rest == half and cost % 2 == 1)
    return cost if cost <= MOST else None


@dataclass
class PriceEntry:
    """What a model costs from a moment on."""

    effective_from: datetime
    priced_as: str | None
    """The model that the price belongs to, if it was found by another name."""
    standard: Amounts
    tiers: dict[str, list[tuple[int, Amounts]]] = field(default_factory=dict)
    """By service tier, the amounts of each number of input tokens from which they apply."""

    def amounts(self, counts: Mapping[str, Any]) -> Amounts:
        """The amounts for a message, which are unknown if its service tier has no price."""
        tier = counts["service_tier"] or ""
        size = counts["input_tokens"] or 1
        found = [(above, amounts) for above, amounts in self.tiers.get(tier, ()) if above < size]
        if found:
            return max(found, key=lambda one: one[0])[1]
        return [None] * len(KINDS) if tier else self.standard


@dataclass(frozen=True)
class PriceList:
    """The prices of some models, for many messages at once."""

    model_id: str | None = None
    """Of the session, where messages name no other."""
    known: Mapping[str, Sequence[PriceEntry]] = field(default_factory=dict)
    """By the names of models that messages use, newest first."""

    def price(self, row: dict[str, Any]) -> None:
        """Give a message to append its cost and price, where they are known."""
        row["priced_from"] = row["priced_as"] = None
        if is_countable(row):
            row.update(self.cost(row, row["model_id"] or self.model_id, row["created_at"])._asdict())

    def cost(self, row: Mapping[str, Any], model_id: str | None, at: datetime) -> Cost:
        """The cost of a message in dollars, and its price."""
        for entry in self.known.get(model_id or "", ()):
            if entry.effective_from <= at:
                cost = cost_of(row, entry.amounts(row))
                return UNKNOWN if cost is None else Cost(dollars(cost), entry.effective_from, entry.priced_as)
        return UNKNOWN


def with_fallbacks(amounts: Amounts) -> list[int | None]:
    """The amounts of a standard price: cached input costs as input, and reasoning as output, if they have no price.

    Cache writes have no such fallback: they cost more than input.
    """
    given, written, cached, stored, long, reasoned = amounts
    return [
        given, written, given if cached is None else cached, stored, long, written if reasoned is None else reasoned,
    ]  # fmt: skip


def by_model(rows: Iterable[Any]) -> dict[str, list[PriceEntry]]:
    """Prices by the name that messages use, newest first, from rows of `models.price_rows.PRICE_ROWS`."""
    known: dict[str, dict[datetime, PriceEntry]] = {}
    for row in rows:
        if row.used_name is None or row.effective_from is None:
            continue
        entries = known.setdefault(row.used_name, {})
        entry = entries.get(row.effective_from)
        if entry is None:
            standard = with_fallbacks([getattr(row, kind) for kind in KINDS])
            priced_as = None if row.model_id == row.used_name else row.model_id
            entry = entries[row.effective_from] = PriceEntry(row.effective_from, priced_as, standard)
        if row.above_tokens is not None:
            amounts = [getattr(row, f"tier_{kind}") for kind in KINDS]
            entry.tiers.setdefault(row.service_tier, []).append((row.above_tokens, amounts))
    return {
        name: sorted(entries.values(), key=lambda entry: entry.effective_from, reverse=True)
        for name, entries in known.items()
    }
