"""The tiers of a price: from what users give to the rows that are stored.

The stored rows leave no room for guesses. A factor is multiplied out. If the standard tier has a price for long inputs
and a service tier does not, the service tier gets a row for them whose prices are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from chatledger.dialects.types import Identifier
from chatledger.errors import InvalidInput
from chatledger.models.price_rows import tiers
from chatledger.schemas.costs import KINDS
from chatledger.schemas.registry import MAX_PRICE, NewPrice, PriceTier
from chatledger.services.base import ServiceContext

# A kind without a price costs as this one does, if that is so in the standard price.
_FALLBACKS = {"cached_input": "input", "reasoning": "output"}
_NANO = Decimal(1).scaleb(-9)

Amounts = dict[str, Decimal | None]
Rows = dict[tuple[str, int], Amounts]


def rows_of(price: NewPrice) -> Rows:
    """The amounts of each tier, by service tier ('' is the standard one) and by the tokens above which it applies.

    Raises:
        InvalidInput: two tiers for the same inputs, or a factor that gives prices with more than nine decimals.
    """
    base: Amounts = {kind: getattr(price, kind) for kind in KINDS}
    same = [kind for kind, other in _FALLBACKS.items() if base[kind] is None or base[kind] == base[other]]
    rows: Rows = {}
    for tier in price.tiers:
        if tier.factor is None:
            key = (tier.service_tier or "", tier.above_tokens)
            amounts: Amounts = {kind: getattr(tier, kind) for kind in KINDS}
            _put(rows, key, {**amounts, **{kind: amounts[_FALLBACKS[kind]] for kind in same if amounts[kind] is None}})
    steps = sorted(above for name, above in rows if not name)
    standard = {0: {**base, **{kind: base[_FALLBACKS[kind]] for kind in same}}, **{at: rows["", at] for at in steps}}
    for tier in price.tiers:
        if tier.factor is not None:
            for above, amounts in standard.items():
                _put(rows, (tier.service_tier or "", above), _times(amounts, tier.factor))
    for name in {name for name, _ in rows if name}:
        for above in steps:
            rows.setdefault((name, above), dict.fromkeys(KINDS))
    return dict(sorted(rows.items()))


def _put(rows: Rows, key: tuple[str, int], amounts: Amounts) -> None:
    if key in rows:
        raise InvalidInput(
            "tiers", f"has two prices of the {key[0] or 'standard'} tier for inputs above {key[1]} tokens"
        )
    rows[key] = amounts


def _times(amounts: Amounts, factor: Decimal) -> Amounts:
    result: Amounts = {}
    for kind, amount in amounts.items():
        exact = None if amount is None else amount * factor
        if exact is not None and (exact > MAX_PRICE or exact.quantize(_NANO) != exact):
            raise InvalidInput(
                "tiers", f"has a factor whose {kind} price cannot be stored exactly: give prices instead"
            )
        result[kind] = None if exact is None else exact.quantize(_NANO)
    return result


def read(context: ServiceContext, model_id: str) -> dict[datetime, tuple[PriceTier, ...]]:
    """The tiers of a model's prices, by when they take effect."""
    found: dict[datetime, tuple[PriceTier, ...]] = {}
    for row in context.execute(_READ, {"model": model_id}):
        values = {**row._mapping, "service_tier": row.service_tier or None}
        found[row.effective_from] = (*found.get(row.effective_from, ()), PriceTier.model_validate(values))
    return found


def stored(tiers_read: Iterable[PriceTier]) -> Rows:
    """What `rows_of` gave when these tiers were written."""
    return {
        (tier.service_tier or "", tier.above_tokens): {kind: getattr(tier, kind) for kind in KINDS}
        for tier in tiers_read
    }


def write(context: ServiceContext, model_id: str, at: datetime, rows: Rows, *, new: bool = False) -> None:
    """Replace the tiers of a price. `new`: it has none."""
    if not new:
        context.execute(delete(tiers).where(tiers.c.model_id == model_id, tiers.c.effective_from == at))
    values: list[dict[str, Any]] = [
        {"model_id": model_id, "effective_from": at, "service_tier": name, "above_tokens": above, **amounts}
        for (name, above), amounts in rows.items()
    ]
    if values:
        context.execute(insert(tiers), values)


_READ = (
    select(tiers)
    .where(tiers.c.model_id == bindparam("model", type_=Identifier()))
    .order_by(tiers.c.effective_from, tiers.c.service_tier, tiers.c.above_tokens)
)
