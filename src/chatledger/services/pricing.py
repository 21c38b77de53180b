"""What a message costs, counted exactly.

Cached tokens are part of the input and reasoning tokens part of the output. Each kind of token is multiplied by its
price; the sum is divided by a million once, and rounded half to even, to a nano-dollar. The same is written twice: as an
expression for the database, so that an append stays one statement, and in Python for many messages at once. Prices are
split into whole millionths and the rest, so that nothing leaves 64 bits on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal_column, null, or_, select, type_coerce

from chatledger.dialects.types import Whole, dollars, nanos
from chatledger.models import ModelPrice
from chatledger.models.base import table_of
from chatledger.schemas.fields import MAX_COST
from chatledger.services.ownership import SESSION_KEY
from chatledger.services.rows import sessions
from chatledger.services.work import Work

prices = table_of(ModelPrice)

MILLION = 10**6
_MOST = nanos(MAX_COST)
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
    return cost if cost <= _MOST else None


def cost_expression(row: Any) -> ColumnElement[Any]:
    """The same in the database, over a row of a subquery with `COUNTS`, and the price in force as `PRICE`.

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
        down + up > literal_column(str(_MOST), Whole),
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


def price_list(work: Work, session_id: str, models: Iterable[str]) -> PriceList:
    """The prices of a session's model and of others, in one statement."""
    named = prices.c.model_id.in_(list(models))
    statement = (
        select(sessions.c.model_id.label("own"), *_READ)
        .select_from(sessions.outerjoin(prices, or_(prices.c.model_id == sessions.c.model_id, named)))
        .where(sessions.c.session_id == SESSION_KEY)
    )
    rows = work.execute(statement, {"session": session_id}).all()
    return PriceList(rows[0].own if rows else None, _by_model(rows))


def prices_of(work: Work, models: Iterable[str]) -> PriceList:
    """The prices of some models."""
    return PriceList(None, _by_model(work.execute(select(*_READ).where(prices.c.model_id.in_(list(models)))).all()))


def _nano(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, Whole)


_READ = (prices.c.model_id, prices.c.effective_from, *(_nano(prices.c[kind]).label(kind) for kind in KINDS))


def _by_model(rows: Iterable[Any]) -> dict[str, list[tuple[datetime, list[int | None]]]]:
    known: dict[str, list[tuple[datetime, list[int | None]]]] = {}
    for row in rows:
        if row.model_id is not None:
            known.setdefault(row.model_id, []).append((row.effective_from, [getattr(row, kind) for kind in KINDS]))
    for history in known.values():
        history.sort(key=lambda entry: entry[0], reverse=True)
    return known
