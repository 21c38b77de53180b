"""Prices as they are stored, one or a whole list of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update

from chatledger.dialects.types import Identifier
from chatledger.errors import InvalidInput
from chatledger.models import tables
from chatledger.models.price_names import ALIASES, resolve
from chatledger.models.price_rows import prices
from chatledger.schemas import Price, PriceListReport, PriceTier
from chatledger.schemas.costs import KINDS
from chatledger.schemas.fields import called, validated
from chatledger.schemas.registry import ModelFields, NewPrice, NewTier, PriceProblem
from chatledger.services.base import ServiceContext
from chatledger.services.registry import entries, price_tiers

_MODELS = tables.models
_LOCK = (
    select(_MODELS.c.model_id)
    .where(_MODELS.c.model_id == bindparam("model", type_=Identifier()))
    .with_for_update(key_share=True)
)
_OF_MODEL = ("provider", "context_window")
_NOT_OF_PRICE = ("place", "not_stored", "without_token_prices")
# From when the first price of a model holds, if a list gives no date.
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def as_price(row: Any, tiers: tuple[PriceTier, ...]) -> Price:
    """What users hold of a row."""
    return Price.model_validate({**row._mapping, "others": row.others or {}, "tiers": tiers})


def is_empty(price: NewPrice) -> bool:
    """Whether there is no price in it."""
    return not price.others and not price.tiers and all(getattr(price, kind) is None for kind in KINDS)


def completed(
    context: ServiceContext, model_id: str, at: datetime, price: NewPrice, given: Mapping[str, Any]
) -> NewPrice:
    """A price with the kinds that were not given taken from the price in force at that moment.

    Raises:
        InvalidInput: that price has tiers, and the new one does not say what becomes of them.
    """
    before = in_force(context, model_id, at)
    if before is None:
        return price
    kept = {name: getattr(before, name) for name in (*KINDS, "others") if name not in given}
    if "tiers" not in given:
        tiers = price_tiers.read(context, model_id).get(before.effective_from, ())
        if tiers and given.keys() & set(KINDS):
            raise InvalidInput(
                "tiers",
                "are missing: the price in force has prices for long inputs or other service tiers, which may change with"
                " it. Give the new ones, or none (an empty list; --no-tiers)",
            )
        kept["tiers"] = tuple(NewTier.model_validate(tier.model_dump()) for tier in tiers)
    return price.model_copy(update=kept)


def in_force(context: ServiceContext, model_id: str, at: datetime) -> Any:
    """The row of the newest price that holds at a moment, or None."""
    return next((row for row in _history(context, model_id) if row.effective_from <= at), None)


def _history(context: ServiceContext, model_id: str) -> Sequence[Any]:
    """The prices of a model, newest first."""
    return context.execute(_HISTORY, {"model": model_id}).all()


def lock_model(context: ServiceContext, model_id: str) -> None:
    """Keep others from changing the prices of a model until the transaction ends. Appends are not hindered."""
    context.execute(_LOCK, {"model": model_id})


def store_undated(context: ServiceContext, model_id: str, price: NewPrice) -> bool:
    """Write the price of a list without dates. Return whether it differs from the price in force.

    A first price holds for all time; a changed one from now on, because what was counted before was right then.
    """
    lock_model(context, model_id)
    now = context.now()
    history = _history(context, model_id)
    before = next((row for row in history if row.effective_from <= now), None)
    if before is None:
        return store(context, model_id, now if history else _ALWAYS, price, history)
    if _is_same(context, before, _values(price), price_tiers.rows_of(price)):
        return False
    return store(context, model_id, now, price)


def _is_same(context: ServiceContext, row: Any, values: Mapping[str, Any], rows: price_tiers.Rows) -> bool:
    if any(getattr(row, name) != value for name, value in values.items()):
        return False
    before = price_tiers.read(context, row.model_id).get(row.effective_from, ())
    return price_tiers.stored(before) == rows


def _values(price: NewPrice) -> dict[str, Any]:
    """The columns of a price. Money of other kinds is kept as text, exact."""
    others = {name: str(amount) for name, amount in sorted(price.others.items())} if price.others else None
    return {**{kind: getattr(price, kind) for kind in KINDS}, "others": others}


def store(
    context: ServiceContext, model_id: str, at: datetime, price: NewPrice, history: Sequence[Any] | None = None
) -> bool:
    """Write a price. Return whether anything is different from before. `history` is what `_history` gave."""
    lock_model(context, model_id)
    values, rows = _values(price), price_tiers.rows_of(price)
    known = _history(context, model_id) if history is None else history
    before = next((row for row in known if row.effective_from == at), None)
    if before is None:
        row = {"model_id": model_id, "effective_from": at, "created_at": context.now(), **values}
        context.execute(_INSERT, row)
        price_tiers.write(context, model_id, at, rows, new=True)
        return True
    if _is_same(context, before, values, rows):
        return False
    here = (prices.c.model_id == model_id) & (prices.c.effective_from == at)
    context.execute(update(prices).where(here).values(**values))
    price_tiers.write(context, model_id, at, rows)
    return True


def take(context: ServiceContext, rows: Iterable[Any], models: Table, *, dry_run: bool) -> PriceListReport:
    """Take a price list, row by row; with `dry_run` say only what would be taken."""
    problems: list[PriceProblem] = []
    not_stored: Counter[str] = Counter()
    count = fresh = changed = empty = 0
    new: set[str] = set()
    connection = context.connected()
    aliases = {row.model_id: row.alias_of for row in context.execute(ALIASES)}
    savepoint = connection.begin_nested() if dry_run else None
    try:
        for count, row in enumerate(rows, 1):
            place = str(row.get("place", count)) if isinstance(row, Mapping) else str(count)
            if isinstance(row, Mapping):
                not_stored.update(set(row.get("not_stored", ())))
                if row.get("without_token_prices"):
                    empty += 1
                    continue
            try:
                model_id, fields, price = _parts(row)
                price_tiers.rows_of(price)
                require_no_alias(model_id, aliases.get(model_id))
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
        if changed:
            resolve(connection)
    finally:
        if savepoint is not None:
            savepoint.rollback()
    return PriceListReport(
        dry_run=dry_run, rows=count, models=len(new), prices=changed, unchanged=fresh, problems=tuple(problems),
        not_stored=dict(sorted(not_stored.items())), without_token_prices=empty,
    )  # fmt: skip


def require_no_alias(model_id: str, alias_of: str | None) -> None:
    """Refuse prices for a model that is an alias.

    Raises:
        InvalidInput
    """
    if alias_of is not None:
        raise InvalidInput(
            "model_id", f"{model_id!r} is an alias of {alias_of!r}: set the prices of that model, or remove the alias"
        )


def _parts(row: Any) -> tuple[str, dict[str, Any], NewPrice]:
    if not isinstance(row, Mapping):
        raise InvalidInput("row", "is not an object")
    if "problem" in row:
        raise InvalidInput("row", str(row["problem"]))
    given = {name: value for name, value in row.items() if name not in _NOT_OF_PRICE and value is not None}
    model_id = called(given.pop("model_id", ""), "model_id")
    fields = {name: given.pop(name) for name in _OF_MODEL if name in given}
    price = validated(NewPrice, given)
    if is_empty(price):
        raise InvalidInput("input", "is missing: give at least one price")
    return model_id, validated(ModelFields, fields).model_dump(include=set(fields)), price


_HISTORY = (
    select(prices)
    .where(prices.c.model_id == bindparam("model", type_=Identifier()))
    .order_by(prices.c.effective_from.desc())
)
_INSERT = insert(prices)
