"""The prices of models as rows that `schemas.costs.by_model` reads, found by the name that a model is priced as."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, type_coerce

from chatledger.dialects.types import Identifier, Whole
from chatledger.models import tables
from chatledger.schemas.costs import KINDS

models = tables.models
prices = tables.model_prices
tiers = tables.model_price_tiers


def priced_name() -> ColumnElement[str]:
    """The model whose prices apply to a row of `models`."""
    return func.coalesce(models.c.priced_as, models.c.model_id, type_=Identifier())


def nano(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A column of money as it is stored, in nano-dollars."""
    return type_coerce(column, Whole)


PRICE_COLUMNS = (
    models.c.model_id.label("used_name"),
    prices.c.model_id,
    prices.c.effective_from,
    *(nano(prices.c[kind]).label(kind) for kind in KINDS),
    tiers.c.service_tier,
    tiers.c.above_tokens,
    *(nano(tiers.c[kind]).label(f"tier_{kind}") for kind in KINDS),
)
"""Of each price, and once more for each of its tiers."""


def of_price() -> ColumnElement[bool]:
    """Joins tiers to their price."""
    return and_(tiers.c.model_id == prices.c.model_id, tiers.c.effective_from == prices.c.effective_from)


PRICE_ROWS = select(*PRICE_COLUMNS).select_from(
    models.join(prices, prices.c.model_id == priced_name()).outerjoin(tiers, of_price())
)
