"""Repricing: costs are counted again, a batch of messages at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, bindparam, func, select, tuple_, update

from chatledger.dialects.types import Identifier, Whole
from chatledger.models.price_names import resolve
from chatledger.schemas import RepriceReport
from chatledger.schemas.costs import COUNTS
from chatledger.schemas.fields import identifier, moment, stated
from chatledger.services import audit
from chatledger.services.base import ServiceContext, logger
from chatledger.services.registry.pricing import prices_of
from chatledger.services.rows import messages, sessions
from chatledger.services.timeouts.sweep import Run
from chatledger.services.visibility import SESSION_KEY, lock_each, require_visible

REPRICED = "messages.repriced"
BATCH = 1000
"""Messages of one transaction."""


@dataclass(frozen=True)
class Wanted:
    """Which messages are priced again, and how."""

    since: datetime | None
    until: datetime | None
    model_id: str | None
    project_id: str | None
    session_id: str | None
    overwrite_given: bool
    reason: str | None


@dataclass
class _Tally:
    examined: int = 0
    filled: int = 0
    corrected: int = 0
    withdrawn: int = 0
    difference: Decimal = Decimal("0E-9")

    def add(self, other: _Tally) -> None:
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def report(self, *, dry_run: bool) -> RepriceReport:
        return RepriceReport(dry_run=dry_run, **vars(self))


def wanted(
    since: datetime | None,
    until: datetime | None,
    model_id: str | None,
    project_id: str | None,
    session_id: str | None,
    overwrite_given: bool,
    reason: str | None,
) -> Wanted:
    """What users ask for.

    Raises:
        InvalidInput: a time without a time zone, or an id that is no text.
    """
    for field, value in (("model_id", model_id), ("project_id", project_id), ("session_id", session_id)):
        if value is not None:
            identifier(value, field)
    return Wanted(
        None if since is None else moment(since, "since"),
        None if until is None else moment(until, "until"),
        model_id, project_id, session_id, overwrite_given, stated(reason),
    )  # fmt: skip


def reprice(
    read: Run,
    run: Run,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    progress: Callable[[RepriceReport], object] | None = None,
) -> RepriceReport:
    """Count the costs of the wanted messages again, a batch for each call of `run`; each batch leaves an audit row."""
    session_id = wanted.session_id
    if session_id is not None:
        read(lambda context: require_visible(context, session_id))
    if not dry_run:
        # Names and prices that other transactions, or raw SQL, wrote without seeing each other.
        run(_resolve)
    tally, last = _Tally(), None
    while True:
        batch, last = (read if dry_run else run)(
            lambda context, last=last: _batch(context, wanted, last, dry_run=dry_run)  # type: ignore[misc]
        )
        tally.add(batch)  # outside of `run`, which may call what it is given several times
        if progress is not None and batch.examined:
            progress(tally.report(dry_run=dry_run))
        if last is None:
            break
    report = tally.report(dry_run=dry_run)
    if report.changed and not dry_run:
        logger.info("messages repriced", extra={"count": report.changed})
    return report


def _resolve(context: ServiceContext) -> None:
    if context.owner is None:
        resolve(context.connected())


def _batch(context: ServiceContext, wanted: Wanted, last: Any, *, dry_run: bool) -> tuple[_Tally, Any]:
    """Price some messages; what was done, and the last of them if there may be more."""
    found = context.execute(_chosen(context, wanted, last)).all()
    tally = _Tally(examined=len(found))
    reached = (found[-1].session_id, found[-1].sequence_number) if found else None
    if reached is not None and not dry_run:
        # Sessions first and in order, as everybody who changes messages locks them.
        lock_each(context, _LOCKED, {row.session_id for row in found})
        numbers = tuple_(messages.c.session_id, messages.c.sequence_number)
        # Read again under the locks: what was deleted or priced meanwhile is seen as it is.
        found = context.execute(_chosen(context, wanted, last, locked=True).where(numbers <= _place(reached))).all()
    changes = _changes(context, found, wanted, tally)
    if changes and not dry_run:
        context.execute(_WRITE, changes)
        details = {
            "filled": tally.filled, "corrected": tally.corrected, "withdrawn": tally.withdrawn,
            "difference": str(tally.difference),
        }  # fmt: skip
        audit.record(context, REPRICED, reason=wanted.reason, count=len(changes), details=details)
    return tally, reached if tally.examined == BATCH else None


def _changes(context: ServiceContext, found: Sequence[Any], wanted: Wanted, tally: _Tally) -> list[dict[str, Any]]:
    known = prices_of(context, {row.model for row in found if row.model is not None})
    changes = []
    for row in found:
        if row.cost is not None and row.priced_from is None and not wanted.overwrite_given:
            continue
        cost = (new := known.cost(row._mapping, row.model, row.created_at)).cost
        if new == (row.cost, row.priced_from, row.priced_as):
            continue
        if row.cost is None:
            tally.filled += 1
        elif cost is not None:
            tally.corrected += 1
        elif row.priced_from is not None:
            tally.withdrawn += 1
        else:
            continue  # what the caller gave is better than nothing
        tally.difference += (cost or Decimal(0)) - (row.cost or Decimal(0))
        changes.append(
            {
                "session": row.session_id,
                "number": row.sequence_number,
                "new_cost": cost,
                "new_priced_from": new.priced_from,
                "new_priced_as": new.priced_as,
            }
        )
    return changes


def _chosen(context: ServiceContext, wanted: Wanted, last: Any, *, locked: bool = False) -> Select[Any]:
    model = func.coalesce(messages.c.model_id, sessions.c.model_id, type_=Identifier())
    read = ("session_id", "sequence_number", *COUNTS, "cost", "priced_from", "priced_as", "created_at")
    statement = select(*(messages.c[name] for name in read), model.label("model")).join(
        sessions, sessions.c.session_id == messages.c.session_id
    )
    if not wanted.overwrite_given:
        statement = statement.where(messages.c.cost.is_(None) | messages.c.priced_from.is_not(None))
    statement = statement.where(func.coalesce(messages.c.input_tokens, messages.c.output_tokens).is_not(None))
    if wanted.since is not None:
        statement = statement.where(messages.c.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(messages.c.created_at < wanted.until)
    for column, value in (
        (model, wanted.model_id),
        (sessions.c.project_id, wanted.project_id),
        (messages.c.session_id, wanted.session_id),
        (sessions.c.user_id, context.owner),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if last is not None:
        statement = statement.where(tuple_(messages.c.session_id, messages.c.sequence_number) > _place(last))
    statement = statement.order_by(messages.c.session_id, messages.c.sequence_number)
    return statement if locked else statement.limit(BATCH)


def _place(place: tuple[str, int]) -> Any:
    session = bindparam(None, place[0], type_=Identifier())
    return tuple_(session, bindparam(None, place[1], type_=Whole))


_WRITE = (
    update(messages)
    .where(
        messages.c.session_id == bindparam("session", type_=Identifier()),
        messages.c.sequence_number == bindparam("number", type_=Whole),
    )
    .values(
        cost=bindparam("new_cost", type_=messages.c.cost.type),
        priced_from=bindparam("new_priced_from", type_=messages.c.priced_from.type),
        priced_as=bindparam("new_priced_as", type_=messages.c.priced_as.type),
    )
)

_LOCKED = select(sessions.c.session_id).where(sessions.c.session_id == SESSION_KEY).with_for_update(key_share=True)
