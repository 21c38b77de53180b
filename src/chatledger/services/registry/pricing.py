"""What a message costs, calculated exactly by the database.

The same calculation is written twice: as an expression for the database, so that an append stays one statement, and in
Python (`schemas.costs`) for many messages at once. Prices are split into whole millionths and the rest, so that no
intermediate value exceeds 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from sqlalchemy import ColumnElement, Engine, and_, case, exists, func, literal_column, null, or_, select

from chatledger.dialects.types import Identifier, Whole
from chatledger.models.price_rows import PRICE_COLUMNS, PRICE_ROWS, models, nano, of_price, priced_name, prices, tiers
from chatledger.schemas.costs import DETAILS, KINDS, MILLION, MOST, PLAIN_COUNTS, PriceList, by_model
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.visibility import SESSION_KEY

# Engines on whose databases prices were seen. On the others an append asks whether there are any, which is quicker than
# to calculate a cost from prices that are not there.
_priced: WeakSet[Engine] = WeakSet()


def may_lack_prices(engine: Engine) -> bool:
    """Whether no price was ever seen there by this process."""
    return engine not in _priced


def note_prices(engine: Engine) -> None:
    """There are prices."""
    _priced.add(engine)


def no_prices() -> ColumnElement[bool]:
    """No model has a price."""
    return ~exists(select(literal_column("1")).select_from(prices))


_ZERO, _MILLION = literal_column("0", Whole), literal_column(str(MILLION), Whole)


def cost_expression(row: Any, *, detailed: bool) -> ColumnElement[Any]:
    """The cost in the database, over a row of a subquery with the counts of a message and `price_columns`.

    `detailed`: the row has the columns of `DETAILS` too. Columns alone: values that were bound here would be sent and
    planned some hundred times.
    """
    counts = {name: row[name] for name in PLAIN_COUNTS}
    given, written, cached, reasoned = (func.coalesce(counts[name], _ZERO, type_=Whole) for name in PLAIN_COUNTS)
    # In stored form: nano-dollars, and not dollars.
    own = {kind: row[f"price_{kind}"] for kind in (KINDS if detailed else _PLAIN_KINDS)}
    parts = [(cached, own["cached_input"]), (written - reasoned, own["output"]), (reasoned, own["reasoning"])]
    wrong = [
        row["price_from"].is_(None),
        and_(counts["input_tokens"].is_(None), counts["output_tokens"].is_(None)),
        reasoned > written,
    ]
    if detailed:
        stored, long, units = (func.coalesce(row[name], _ZERO, type_=Whole) for name in DETAILS[:3])
        parts += [
            (given - cached - stored, own["input"]),
            (stored - long, own["cache_write"]),
            (long, own["cache_write_1h"]),
        ]
        wrong += [cached + stored > given, long > stored, units > _ZERO]
    else:
        parts.append((given - cached, own["input"]))
        wrong.append(cached > given)
    high: ColumnElement[int] = _ZERO
    low: ColumnElement[int] = _ZERO
    for count, price in parts:
        high = high + count * func.coalesce(price // _MILLION, _ZERO, type_=Whole)
        low = low + count * func.coalesce(price % _MILLION, _ZERO, type_=Whole)
    half, one, two = (literal_column(str(number), Whole) for number in (MILLION // 2, 1, 2))
    rest, down = low % _MILLION, high + low // _MILLION
    up = case((or_(rest > half, and_(rest == half, down % two == one)), one), else_=_ZERO)
    unknown = or_(*wrong, *(and_(count > _ZERO, price.is_(None)) for count, price in parts))
    # One CASE within the other: counts that contradict each other could exceed 64 bits, and are not added up.
    known = case((down + up > literal_column(str(MOST), Whole), null()), else_=down + up)
    return case((unknown, null()), else_=known)


def priced_source(
    model: ColumnElement[Any],
    at: ColumnElement[Any],
    given: ColumnElement[Any],
    service_tier: ColumnElement[Any] | None,
) -> Any:
    """Sessions, joined with the price in force for a model at a moment, and with the tier for that many input tokens."""
    other, more = prices.alias(), tiers.alias()
    newest = (
        select(func.max(other.c.effective_from))
        .where(other.c.model_id == priced_name(), other.c.effective_from <= at)
        .scalar_subquery()
    )
    tier = literal_column("''", Identifier()) if service_tier is None else func.coalesce(service_tier, "")
    highest = (
        select(func.max(more.c.above_tokens))
        .where(
            more.c.model_id == prices.c.model_id,
            more.c.effective_from == prices.c.effective_from,
            more.c.service_tier == tier,
            # A message without input belongs to the first.
            more.c.above_tokens < func.coalesce(func.nullif(given, 0), 1),
        )
        .scalar_subquery()
    )
    return (
        sessions.outerjoin(models, models.c.model_id == model)
        .outerjoin(prices, and_(prices.c.model_id == priced_name(), prices.c.effective_from == newest))
        .outerjoin(tiers, and_(of_price(), tiers.c.service_tier == tier, tiers.c.above_tokens == highest))
    )


def price_columns(service_tier: ColumnElement[Any] | None) -> list[ColumnElement[Any]]:
    """What `cost_expression` needs of `priced_source`: the tier's price if there is one, else the standard price."""
    columns: list[ColumnElement[Any]] = [prices.c.effective_from.label("price_from"), models.c.priced_as]
    in_tier = tiers.c.above_tokens.is_not(None)
    for kind in _PLAIN_KINDS if service_tier is None else KINDS:
        standard: ColumnElement[Any] = nano(prices.c[kind])
        if kind in _FALLBACKS:
            standard = func.coalesce(standard, nano(prices.c[_FALLBACKS[kind]]), type_=Whole)
        if service_tier is not None:
            standard = case((service_tier.is_(None), standard))
        columns.append(case((in_tier, nano(tiers.c[kind])), else_=standard).label(f"price_{kind}"))
    return columns


# What messages without details have tokens of.
_PLAIN_KINDS = ("input", "output", "cached_input", "reasoning")
# Which price applies to a kind of token that has none (`schemas.costs.with_fallbacks` says the same).
_FALLBACKS = {"cached_input": "input", "reasoning": "output"}


def price_list(context: ServiceContext, session_id: str, names: Iterable[str]) -> PriceList:
    """The prices of a session's model and of others, in one statement."""
    named = models.c.model_id.in_(list(names))
    statement = (
        select(sessions.c.model_id.label("own"), *PRICE_COLUMNS)
        .select_from(
            sessions.outerjoin(models, or_(models.c.model_id == sessions.c.model_id, named))
            .outerjoin(prices, prices.c.model_id == priced_name())
            .outerjoin(tiers, of_price())
        )
        .where(sessions.c.session_id == SESSION_KEY)
    )
    rows = context.execute(statement, {"session": session_id}).all()
    return PriceList(rows[0].own if rows else None, by_model(rows))


def prices_of(context: ServiceContext, names: Iterable[str]) -> PriceList:
    """The prices of some models."""
    return PriceList(None, by_model(context.execute(PRICE_ROWS.where(models.c.model_id.in_(list(names)))).all()))
