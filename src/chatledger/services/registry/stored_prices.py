"""Prices as they are stored, one or a whole list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert, select, update

from chatledger.errors import InvalidInput
from chatledger.schemas import Price, PriceListReport
from chatledger.schemas.costs import KINDS
from chatledger.schemas.fields import called, validated
from chatledger.schemas.registry import ModelFields, NewPrice, PriceProblem
from chatledger.services.base import ServiceContext
from chatledger.services.registry import entries
from chatledger.services.registry.pricing import prices

_OF_MODEL = ("provider", "context_window")
#: A list says this where it gives no date: the price has always held.
_ALWAYS = "1970-01-01"


def as_price(row: Any) -> Price:
    """What users hold of a row."""
    return Price.model_validate({**row._mapping, "others": row.others or {}})


def store(context: ServiceContext, model_id: str, at: datetime, price: NewPrice) -> bool:
    """Write a price; whether anything is other than before. Money of other kinds is kept as text, exact."""
    values: dict[str, Any] = {kind: getattr(price, kind) for kind in KINDS}
    values["others"] = {name: str(amount) for name, amount in sorted(price.others.items())} if price.others else None
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
            assert price.effective_from is not None
            if store(context, model_id, price.effective_from, price):
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
    price = validated(NewPrice, {"effective_from": _ALWAYS, **given})
    if not price.others and all(getattr(price, kind) is None for kind in KINDS):
        raise InvalidInput("input", "is missing: give at least one price")
    return model_id, validated(ModelFields, fields).model_dump(include=set(fields)), price
