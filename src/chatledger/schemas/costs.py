"""What a message costs, counted exactly, from its tokens and a price.

Cached tokens are part of the input and reasoning tokens part of the output. Each kind of token is multiplied by its
price; the sum is divided by a million once, and rounded half to even, to a nano-dollar. The same is an expression for
the database in `services.registry.pricing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from chatledger.dialects.types import dollars, nanos
from chatledger.schemas.fields import MAX_COST

MILLION = 10**6
#: The highest cost of a message, in nano-dollars.
MOST = nanos(MAX_COST)
#: The kinds of prices that a cost is counted from, in their columns' order.
KINDS = ("input", "output", "cached_input", "reasoning")
#: The counts of tokens that it is counted from.
COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def is_countable(row: Mapping[str, Any]) -> bool:
    """Whether a message says enough of its tokens, and nothing of its cost."""
    return row["cost"] is None and (row["input_tokens"] is not None or row["output_tokens"] is not None)


def cost_of(counts: Sequence[int | None], price: Sequence[int | None]) -> int | None:
    """Nano-dollars for `COUNTS` at prices of `KINDS` in nano-dollars per million tokens. None: it is not known."""
    if counts[0] is None and counts[1] is None:
        return None
    given, written, cached, reasoned = (count or 0 for count in counts)
    if cached > given or reasoned > written:
        return None
    whole, thought = (price[2] if price[2] is not None else price[0]), (price[3] if price[3] is not None else price[1])
    parts = ((given - cached, price[0]), (cached, whole), (written - reasoned, price[1]), (reasoned, thought))
    total = 0
    for count, each in parts:
        if count and each is None:
            return None
        total += count * (each or 0)
    cost, rest = divmod(total, MILLION)
    half = MILLION // 2
    cost += rest > half or (rest == half and cost % 2 == 1)
    return cost if cost <= MOST else None


@dataclass(frozen=True)
class PriceList:
    """The prices of some models, for many messages at once."""

    #: Of the session, where messages name no other.
    model_id: str | None = None
    #: By model, newest first.
    known: Mapping[str, Sequence[tuple[datetime, Sequence[int | None]]]] = field(default_factory=dict)

    def price(self, row: dict[str, Any]) -> None:
        """Give a message to append its cost and price, where they are known."""
        row["priced_from"] = None
        if is_countable(row):
            cost, priced_from = self.cost(row, row["model_id"] or self.model_id, row["created_at"])
            row.update(cost=cost, priced_from=priced_from)

    def cost(
        self, row: Mapping[str, Any], model_id: str | None, at: datetime
    ) -> tuple[Decimal | None, datetime | None]:
        """The cost of a message in dollars, and from when its price is; None and None where it is not known."""
        for effective_from, price in self.known.get(model_id or "", ()):
            if effective_from <= at:
                cost = cost_of([row[name] for name in COUNTS], price)
                return (None, None) if cost is None else (dollars(cost), effective_from)
        return None, None


def by_model(rows: Iterable[Any]) -> dict[str, list[tuple[datetime, list[int | None]]]]:
    """Rows of prices, in nano-dollars, by model and newest first."""
    known: dict[str, list[tuple[datetime, list[int | None]]]] = {}
    for row in rows:
        if row.model_id is not None:
            known.setdefault(row.model_id, []).append((row.effective_from, [getattr(row, kind) for kind in KINDS]))
    for history in known.values():
        history.sort(key=lambda entry: entry[0], reverse=True)
    return known
