"""Claiming items under a lease, renewing the lease, and recording results and failures.

An item's `lease` is a fencing token: a number that rises with every claim. Every write names the number that it was
claimed with, so a worker whose lease was lost changes nothing. Times come from the workers' clocks, so a lease should
be longer than the difference between their clocks. If it is not, an item may be worked on twice, but is recorded once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, bindparam, case, func, literal_column, null, select, update

from chatledger.dialects.types import EncodedDocument, Identifier, Timestamp, Whole
from chatledger.enums import BatchStatus, ItemStatus
from chatledger.errors import BatchItemNotFound, LeaseLost
from chatledger.schemas import BatchItem
from chatledger.schemas.fields import identifier
from chatledger.services.backoff import backoff_delay
from chatledger.services.base import ServiceContext
from chatledger.services.batches.statements import (
    COMING_BACK,
    ITEM,
    ITEM_KEY,
    JOB_KEY,
    is_status,
    items,
    job_row,
    listed_as,
    to_items,
)
from chatledger.services.visibility import require_kept

EXPIRED = "LeaseExpired"
"""The kind of error of an item whose worker did not renew its lease in its last attempt."""
# The most items that one claim puts back into the queue. The next claim continues.
_MAX_REQUEUED = 200


def claim(context: ServiceContext, job_id: str, worker: str, limit: int, lease: timedelta) -> list[BatchItem]:
    """Claim up to `limit` items, the most urgent first."""
    job = job_row(context, job_id)
    if job.status is not BatchStatus.OPEN:
        return []
    if job.max_running is not None:
        # The lock makes counting and claiming one step. Jobs without this limit are not locked by claims.
        job = job_row(context, job_id, lock=True)
    now = context.now()
    bound = {"job": job_id, "now": now}
    context.execute(_REQUEUE, {**bound, "most": job.max_attempts, "count": _MAX_REQUEUED})
    if job.max_running is not None:
        limit = min(limit, job.max_running - context.execute(_RUNNING, bound).scalar_one())
        if limit < 1:
            return []
    rows = context.execute(_CLAIM, {**bound, "count": limit, "worker": worker, "end": now + lease}).all()
    # RETURNING has no order.
    return sorted(to_items(rows), key=lambda item: (-item.priority, item.item_number))


def renew(context: ServiceContext, item: BatchItem, lease: timedelta) -> datetime:
    """Renew a lease. Return when it ends."""
    end = context.now() + lease
    _write(context, item, _EXTEND, {"end": end})
    return end


def complete(context: ServiceContext, item: BatchItem, result: str | None, session_id: str | None) -> bool:
    """Record the result of an item. Return False if it was recorded already under the same lease."""
    job_row(context, item.job_id)
    values = {"now": context.now(), "outcome": result, "session": session_id}
    if context.change(_COMPLETE, {**_key(item), **values}):
        return True
    row = _item_row(context, item.job_id, item.item_number)
    if row.status != ItemStatus.DONE or row.lease != item.lease:
        raise LeaseLost(item.job_id, item.item_number)
    return False


def attach(context: ServiceContext, item: BatchItem, session_id: str) -> None:
    """Record which session holds the result of an item that was completed just now."""
    require_kept(context, identifier(session_id, "session_id"))
    context.change(_ATTACH, {"job": item.job_id, "item": item.item_number, "session": session_id})


def fail(
    context: ServiceContext, item: BatchItem, kind: str, error: str | None, *, retry: bool, delay: timedelta | None
) -> ItemStatus:
    """Record a failed attempt. Return the status of the item: delayed, or failed for good."""
    job = job_row(context, item.job_id)
    now = context.now()
    bound: dict[str, Any] = {"kind": kind, "message": error}
    if not retry or item.attempts >= job.max_attempts:
        _write(context, item, _PARK, {**bound, "now": now})
        return ItemStatus.FAILED
    if delay is None:
        # Full jitter: items that failed together are not tried again together.
        delay = timedelta(
            milliseconds=backoff_delay(job.backoff_ms, item.attempts - 1, job.backoff_limit_ms, jitter=1.0)
        )
    _write(context, item, _DELAY, {**bound, "due": now + delay})
    return ItemStatus.DELAYED


def release(context: ServiceContext, item: BatchItem) -> None:
    """Put an item back into the queue. The attempt does not count."""
    _write(context, item, _RELEASE, {})


def _write(context: ServiceContext, item: BatchItem, statement: Update, values: dict[str, Any]) -> None:
    job_row(context, item.job_id)
    if not context.change(statement, {**_key(item), **values}):
        _item_row(context, item.job_id, item.item_number)
        raise LeaseLost(item.job_id, item.item_number)


def _key(item: BatchItem) -> dict[str, Any]:
    return {"job": item.job_id, "item": item.item_number, "token": item.lease}


def _item_row(context: ServiceContext, job_id: str, item_number: int) -> Any:
    row = context.execute(_STATUS, {"job": job_id, "item": item_number}).one_or_none()
    if row is None:
        raise BatchItemNotFound(job_id, item_number)
    return row


def _word(status: ItemStatus) -> ColumnElement[Any]:
    return literal_column(f"'{status}'", items.c.status.type)


_NOW = bindparam("now", type_=Timestamp())
_END = bindparam("end", type_=Timestamp())
_STATUS = select(items.c.status, items.c.lease).where(items.c.job_id == JOB_KEY, items.c.item_number == ITEM_KEY)

# A common table expression that locks is run once; a subquery might be run again for each row that it is compared with.
_DUE = (
    select(items.c.item_number)
    .where(items.c.job_id == JOB_KEY, is_status(*COMING_BACK), items.c.due_at <= _NOW)
    .limit(bindparam("count", type_=Whole))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_EXHAUSTED = and_(is_status(ItemStatus.RUNNING), items.c.attempts >= bindparam("most", type_=Whole))
_EXPIRED = is_status(ItemStatus.RUNNING)
_REQUEUE = (
    update(items)
    .where(items.c.job_id == JOB_KEY, items.c.item_number.in_(select(_DUE.c.item_number)))
    .values(
        status=case((_EXHAUSTED, _word(ItemStatus.FAILED)), else_=_word(ItemStatus.WAITING)),
        finished_at=case((_EXHAUSTED, _NOW), else_=null()),
        error_kind=case((_EXPIRED, literal_column(f"'{EXPIRED}'", Identifier())), else_=items.c.error_kind),
        error=case((_EXPIRED, null()), else_=items.c.error),
        due_at=null(),
    )
)
_RUNNING = select(func.count()).where(items.c.job_id == JOB_KEY, listed_as(ItemStatus.RUNNING))
_NEXT = (
    select(items.c.item_number)
    .where(items.c.job_id == JOB_KEY, is_status(ItemStatus.WAITING))
    .order_by(items.c.rank, items.c.item_number)
    .limit(bindparam("count", type_=Whole))
    .with_for_update(skip_locked=True)
    .cte("next")
)
_CLAIM = (
    update(items)
    .where(items.c.job_id == JOB_KEY, items.c.item_number.in_(select(_NEXT.c.item_number)))
    .values(
        status=_word(ItemStatus.RUNNING),
        lease=items.c.lease + 1,
        attempts=items.c.attempts + 1,
        worker=bindparam("worker", type_=items.c.worker.type),
        claimed_at=_NOW,
        due_at=_END,
    )
    .returning(*ITEM)
)
_MINE = and_(
    items.c.job_id == JOB_KEY,
    items.c.item_number == ITEM_KEY,
    is_status(ItemStatus.RUNNING),
    items.c.lease == bindparam("token", type_=Whole),
)
_EXTEND = update(items).where(_MINE).values(due_at=_END)
_COMPLETE = (
    update(items)
    .where(_MINE)
    .values(
        status=_word(ItemStatus.DONE),
        finished_at=_NOW,
        due_at=null(),
        result=bindparam("outcome", type_=EncodedDocument()),
        session_id=bindparam("session", type_=Identifier()),
        error_kind=null(),
        error=null(),
    )
)
_ATTACH = (
    update(items)
    .where(items.c.job_id == JOB_KEY, items.c.item_number == ITEM_KEY)
    .values(session_id=bindparam("session", type_=Identifier()))
)
_FAILURE = {
    "error_kind": bindparam("kind", type_=Identifier()),
    "error": bindparam("message", type_=items.c.error.type),
}
_PARK = update(items).where(_MINE).values(status=_word(ItemStatus.FAILED), finished_at=_NOW, due_at=null(), **_FAILURE)
_DELAY = (
    update(items)
    .where(_MINE)
    .values(status=_word(ItemStatus.DELAYED), due_at=bindparam("due", type_=Timestamp()), **_FAILURE)
)
_RELEASE = (
    update(items).where(_MINE).values(status=_word(ItemStatus.WAITING), attempts=items.c.attempts - 1, due_at=null())
)
