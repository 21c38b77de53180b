"""Prices as they are stored, one or a whole list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update

from chatledger.dialects.types import Identifier
from chatledger.errors import InvalidInput
from chatledger.models import Model
from chatledger.models.base import table_of
from chatledger.schemas import Price, PriceListReport
from chatledger.schemas.costs import KINDS
from chatledger.schemas.fields import called, validated
from chatledger.schemas.registry import ModelFields, NewPrice, PriceProblem
from chatledger.services.base import ServiceContext
from chatledger.services.registry import entries
from chatledger.services.registry.pricing import prices

_MODELS = table_of(Model)
_LOCK = (
    select(_MODELS.c.model_id)
    .where(_MODELS.c.model_id == bindparam("model", type_=Identifier()))
    .with_for_update(key_share=True)
)
_OF_MODEL = ("provider", "context_window")
# From when the first price of a model holds, if a list gives no date.
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def as_price(row: Any) -> Price:
    """What users hold of a row."""
    return Price.model_validate({**row._mapping, "others": row.others or {}})


def is_empty(price: NewPrice) -> bool:
    """Whether there is no price in it."""
    return not price.others and all(getattr(price, kind) is None for kind in KINDS)


def completed(
    context: ServiceContext, model_id: str, at: datetime, price: NewPrice, given: Mapping[str, Any]
) -> NewPrice:
    """A price with the kinds that were not given taken from the price in force at that moment."""
    before = in_force(context, model_id, at)
    if before is None:
        return price
    kept = {name: getattr(before, name) for name in (*KINDS, "others") if name not in given}
    return price.model_copy(update=kept)


def in_force(context: ServiceContext, model_id: str, at: datetime) -> Any:
    """The row of the newest price that holds at a moment, or None."""
    of_model = (prices.c.model_id == model_id) & (prices.c.effective_from <= at)
    newest = select(prices).where(of_model).order_by(prices.c.effective_from.desc()).limit(1)
    return context.execute(newest).one_or_none()


def lock_model(context: ServiceContext, model_id: str) -> None:
    """Keep others from changing the prices of a model until the transaction ends. Appends are not hindered."""
    context.execute(_LOCK, {"model": model_id})


def store_undated(context: ServiceContext, model_id: str, price: NewPrice) -> bool:
    """Write the price of a list without dates. Return whether it differs from the price in force.

    A first price holds for all time; a changed one from now on, because what was counted before was right then.
    """
    lock_model(context, model_id)
    now = context.now()
    before = in_force(context, model_id, now)
    if before is None:
        later = select(prices.c.model_id).where(prices.c.model_id == model_id).limit(1)
        return store(context, model_id, now if context.execute(later).first() else _ALWAYS, price)
    values = _values(price)
    if all(getattr(before, name) == value for name, value in values.items()):
        return False
    return store(context, model_id, now, price)


def _values(price: NewPrice) -> dict[str, Any]:
    """The columns of a price. Money of other kinds is kept as text, exact."""
    others = {name: str(amount) for name, amount in sorted(price.others.items())} if price.others else None
    return {**{kind: getattr(price, kind) for kind in KINDS}, "others": others}


def store(context: ServiceContext, model_id: str, at: datetime, price: NewPrice) -> bool:
    """Write a price. Return whether anything is different from before."""
    lock_model(context, model_id)
    values = _values(price)
    here = (prices.c.model_id == model_id) & (prices.c.effective_from == at)
    before = context.execute(select(prices).where(here)).one_or_none()
    if before is None:
        row = {"model_id": model_id, "effective_from": at, "created_at": context.now(), **values}
        context.execute(insert(prices).values(row))
        return True
    if all(getattr(before, name) == value for name, value in values.items()):
        return False
    context.execute(update(prices).where(here).values(**values))
    return True


def take(context: ServiceContext, rows: Iterable[Any], models: Table, *, dry_run: bool) -> PriceListReport:
    """Take a price list, row by row; with `dry_run` say only what would be taken."""
    problems: list[PriceProblem] = []
    count = fresh = changed = 0
    new: set[str] = set()
    connection = context.connected()
    savepoint = connection.begin_nested() if dry_run else None
    try:
        for count, row in enumerate(rows, 1):
            place = str(row.get("place", count)) if isinstance(row, Mapping) else str(count)
            try:
                model_id, fields, price = _parts(row)
            except InvalidInput as error:
                problems.append(PriceProblem(place=place, reason=str(error)))
                continue
            if entries.add(context, models, model_id, fields):
                new.add(model_id)
            elif fields:
                entries.change(context, models, model_id, fields)
            at = price.effective_from
            if store_undated(context, model_id, price) if at is None else store(context, model_id, at, price):
                changed += 1
            else:
                fresh += 1
    finally:
        if savepoint is not None:
            savepoint.rollback()
    return PriceListReport(
        dry_run=dry_run, rows=count, models=len(new), prices=changed, unchanged=fresh, problems=tuple(problems)
    )


def _parts(row: Any) -> tuple[str, dict[str, Any], NewPrice]:
    if not isinstance(row, Mapping):
        raise InvalidInput("row", "is not an object")
    if "problem" in row:
        raise InvalidInput("row", str(row["problem"]))
    given = {name: value for name, value in row.items() if name != "place" and value is not None}
    model_id = called(given.pop("model_id", ""), "model_id")
    fields = {name: given.pop(name) for name in _OF_MODEL if name in given}
    price = validated(NewPrice, given)
    if is_empty(price):
        raise InvalidInput("input", "is missing: give at least one price")
    return model_id, validated(ModelFields, fields).model_dump(include=set(fields)), price
