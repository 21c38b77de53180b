"""Under which name a model without prices of its own is priced, kept in `chatledger_models.priced_as`.

It is resolved when a model is registered and when prices or aliases change, so that an append looks up one row. Of the
candidates for a name (`schemas.model_names`), those with the fewest parts taken away count. If these have different
prices, none of them applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, or_, select, update

from chatledger.dialects.types import Identifier
from chatledger.models.price_rows import models, of_price, prices, tiers
from chatledger.schemas.model_names import shorter_names

# Names in one statement.
_CHUNK = 500


def resolve(connection: Connection, names: Iterable[str] | None = None) -> None:
    """Find out how some models are priced, or all of them, and store it."""
    rows = {row.model_id: row for row in _rows(connection, None if names is None else list(names))}
    if not rows:
        return
    aliases = {row.model_id: row.alias_of for row in connection.execute(ALIASES)}
    ends = {name: _end(name, aliases) for name in rows}
    candidates = {end: [[end], *shorter_names(end)] for end in set(ends.values())}
    known = _price_lists(
        connection, sorted({one for levels in candidates.values() for level in levels for one in level})
    )
    changes = []
    for name, row in rows.items():
        target = _target(candidates[ends[name]], known)
        priced_as = None if target == name or row.has_prices else target
        if priced_as != row.priced_as:
            changes.append({"model": name, "target": priced_as})
    if changes:
        connection.execute(_WRITE, changes)


def resolve_new(connection: Connection, names: Iterable[str]) -> None:
    """The same for models that were registered just now. Those whose names cannot be shortened need no statement."""
    if wanted := [name for name in names if shorter_names(name)]:
        resolve(connection, wanted)


def _rows(connection: Connection, names: list[str] | None) -> Sequence[Any]:
    if names is None:
        unpriced = or_(~_HAS_PRICES, models.c.priced_as.is_not(None))
        return connection.execute(_MODELS.where(unpriced)).all()
    wanted = sorted(names)
    return [row for some in _chunks(wanted) for row in connection.execute(_MODELS.where(models.c.model_id.in_(some)))]


def _end(name: str, aliases: Mapping[str, str]) -> str:
    """The name at the end of the aliases that begin with this one."""
    passed = {name}
    while (name := aliases.get(name, name)) not in passed:
        passed.add(name)
    return name


def _target(levels: Sequence[Sequence[str]], known: Mapping[str, frozenset[Any]]) -> str | None:
    """The first candidate with prices, if others on its level that have prices have the same ones."""
    for level in levels:
        if priced := [name for name in level if name in known]:
            return priced[0] if len({known[name] for name in priced}) == 1 else None
    return None


def _price_lists(connection: Connection, names: Sequence[str]) -> dict[str, frozenset[Any]]:
    found: dict[str, set[Any]] = {}
    for some in _chunks(names):
        for row in connection.execute(_PRICES.where(prices.c.model_id.in_(some))):
            found.setdefault(row[0], set()).add(tuple(row[1:]))
    return {name: frozenset(rows) for name, rows in found.items()}


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]


_HAS_PRICES = exists(select(1).select_from(prices).where(prices.c.model_id == models.c.model_id))
_MODELS = select(models.c.model_id, models.c.priced_as, _HAS_PRICES.label("has_prices"))
ALIASES = select(models.c.model_id, models.c.alias_of).where(models.c.alias_of.is_not(None))
_PRICES = select(
    prices.c.model_id,
    *(column for column in prices.columns if column.name not in ("model_id", "others", "created_at")),
    *(column for column in tiers.columns if column.name not in ("model_id", "effective_from")),
).select_from(prices.outerjoin(tiers, of_price()))
_WRITE = (
    update(models)
    .where(models.c.model_id == bindparam("model", type_=Identifier()))
    .values(priced_as=bindparam("target", type_=Identifier()))
)
