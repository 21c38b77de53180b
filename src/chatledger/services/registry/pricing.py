"""What a message costs, counted exactly.

Cached tokens are part of the input and reasoning tokens part of the output. Each kind of token is multiplied by its
price; the sum is divided by a million once, and rounded half to even, to a nano-dollar. The same is written twice: as an
expression for the database, so that an append stays one statement, and in Python (`schemas.costs`) for many messages at
once. Prices are split into whole millionths and the rest, so that no intermediate value exceeds 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal_column, null, or_, select, type_coerce

from chatledger.dialects.types import Whole
from chatledger.models import ModelPrice
from chatledger.models.base import table_of
from chatledger.schemas.costs import COUNTS, KINDS, MILLION, MOST, PriceList, by_model
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.visibility import SESSION_KEY

prices = table_of(ModelPrice)


def cost_expression(row: Any) -> ColumnElement[Any]:
    """The cost in the database, over a row of a subquery with `COUNTS`, and the price in force as `PRICE`.

    Columns alone: values that were bound here would be sent and planned some hundred times.
    """
    zero, million = literal_column("0", Whole), literal_column(str(MILLION), Whole)
    counts = {name: row[name] for name in COUNTS}
    given, written, cached, reasoned = (func.coalesce(counts[name], zero, type_=Whole) for name in COUNTS)
    # In stored form: nano-dollars, and not dollars.
    own = {kind: row[f"price_{kind}"] for kind in KINDS}
    parts = (
        (given - cached, own["input"]),
        (cached, func.coalesce(own["cached_input"], own["input"], type_=Whole)),
        (written - reasoned, own["output"]),
        (reasoned, func.coalesce(own["reasoning"], own["output"], type_=Whole)),
    )
    high: ColumnElement[int] = zero
    low: ColumnElement[int] = zero
    for count, price in parts:
        high = high + count * func.coalesce(price // million, zero, type_=Whole)
        low = low + count * func.coalesce(price % million, zero, type_=Whole)
    half, one, two = (literal_column(str(number), Whole) for number in (MILLION // 2, 1, 2))
    rest, down = low % million, high + low // million
    up = case((or_(rest > half, and_(rest == half, down % two == one)), one), else_=zero)
    unknown = or_(
        row["price_from"].is_(None),
        and_(counts["input_tokens"].is_(None), counts["output_tokens"].is_(None)),
        cached > given,
        reasoned > written,
        *(and_(count > zero, price.is_(None)) for count, price in parts),
        down + up > literal_column(str(MOST), Whole),
    )
    return case((unknown, null()), else_=down + up)


#: What `cost_expression` is to be given of the price in force.
PRICE = (
    prices.c.effective_from.label("price_from"),
    *(type_coerce(prices.c[kind], Whole).label(f"price_{kind}") for kind in KINDS),
)


def price_in_force(model: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Joins `model_prices`: the newest price of a model that is in force at a moment."""
    other = prices.alias()
    newest = (
        select(func.max(other.c.effective_from))
        .where(other.c.model_id == model, other.c.effective_from <= at)
        .scalar_subquery()
    )
    return and_(prices.c.model_id == model, prices.c.effective_from == newest)


def price_list(context: ServiceContext, session_id: str, models: Iterable[str]) -> PriceList:
    """The prices of a session's model and of others, in one statement."""
    named = prices.c.model_id.in_(list(models))
    statement = (
        select(sessions.c.model_id.label("own"), *_READ)
        .select_from(sessions.outerjoin(prices, or_(prices.c.model_id == sessions.c.model_id, named)))
        .where(sessions.c.session_id == SESSION_KEY)
    )
    rows = context.execute(statement, {"session": session_id}).all()
    return PriceList(rows[0].own if rows else None, by_model(rows))


def prices_of(context: ServiceContext, models: Iterable[str]) -> PriceList:
    """The prices of some models."""
    return PriceList(None, by_model(context.execute(select(*_READ).where(prices.c.model_id.in_(list(models)))).all()))


def _nano(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, Whole)


_READ = (prices.c.model_id, prices.c.effective_from, *(_nano(prices.c[kind]).label(kind) for kind in KINDS))
