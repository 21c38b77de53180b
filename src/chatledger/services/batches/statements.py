"""Rows of jobs and items: what is read of them, and who may see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import ColumnElement, Text, and_, bindparam, literal_column, or_, select, type_coerce

from chatledger.dialects.constructs import json_text
from chatledger.dialects.types import Identifier, Whole, to_moment
from chatledger.enums import ItemStatus
from chatledger.errors import BatchNotFound, CorruptDatabase
from chatledger.models import tables
from chatledger.schemas import BatchItem, BatchJob
from chatledger.services.base import ServiceContext

jobs = tables.batch_jobs
items = tables.batch_items

COMING_BACK = (ItemStatus.DELAYED, ItemStatus.RUNNING)
"""Items that come back by themselves: they have an index of their own."""

JOB_KEY = bindparam("job", type_=Identifier())
ITEM_KEY = bindparam("item", type_=Whole)
_OWNER = bindparam("owner", type_=Identifier())


def _plain(column: ColumnElement[Any]) -> ColumnElement[str]:
    return type_coerce(column, Text)


ITEM = (
    items.c.job_id, items.c.item_number, items.c.key, json_text(items.c.payload).label("payload"), items.c.rank,
    _plain(items.c.status).label("status"), items.c.attempts, items.c.lease, items.c.worker, items.c.due_at,
    items.c.claimed_at, items.c.finished_at, items.c.created_at, json_text(items.c.result).label("result"),
    items.c.session_id, items.c.error_kind, items.c.error,
)  # fmt: skip
"""What is read of an item."""
_ITEM_TIMES = ("due_at", "claimed_at", "finished_at", "created_at")

_THIS_JOB = select(jobs).where(jobs.c.job_id == JOB_KEY, or_(_OWNER.is_(None), jobs.c.user_id == _OWNER))
_LOCKED_JOB = _THIS_JOB.with_for_update()


def is_status(*statuses: ItemStatus) -> ColumnElement[bool]:
    """An item of these statuses, spelled out so that the planner can see which partial index holds it."""
    status = _plain(items.c.status)
    if len(statuses) == 1:
        return status == literal_column(f"'{statuses[0]}'")
    return status.in_([literal_column(f"'{word}'") for word in statuses])


def listed_as(status: ItemStatus) -> ColumnElement[bool]:
    """An item of a status, found in the index of those that come back by themselves where that one holds it.

    Not every planner sees that one word is among the two of the index.
    """
    if status in COMING_BACK:
        return and_(is_status(*COMING_BACK), is_status(status))
    return is_status(status)


def job_row(context: ServiceContext, job_id: str, *, lock: bool = False) -> Any:
    """The row of a job, locked against other writers where that is wanted.

    Raises:
        BatchNotFound: no such job, or it belongs to another user.
    """
    statement = _LOCKED_JOB if lock else _THIS_JOB
    row = context.execute(statement, {"job": job_id, "owner": context.owner}).one_or_none()
    if row is None:
        raise BatchNotFound(job_id)
    return row


def to_job(row: Any) -> BatchJob:
    """A row of `jobs` as a job."""
    return BatchJob(
        job_id=row.job_id,
        user_id=row.user_id,
        name=row.name,
        status=row.status,
        metadata=row.metadata or {},
        max_attempts=row.max_attempts,
        backoff=timedelta(milliseconds=row.backoff_ms),
        backoff_limit=timedelta(milliseconds=row.backoff_limit_ms),
        max_running=row.max_running,
        time_limit=None if row.time_limit_ms is None else timedelta(milliseconds=row.time_limit_ms),
        last_item=row.last_item,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_items(rows: Sequence[Any]) -> list[BatchItem]:
    """Rows of `ITEM` as items.

    Raises:
        CorruptDatabase: a stored value is not one that this package writes; names the item, not the value.
    """
    found = []
    for row in rows:
        try:
            found.append(_to_item(row))
            continue
        except (ValueError, TypeError, AttributeError, ValidationError):
            pass
        raise CorruptDatabase(f"item {row.item_number} of batch {row.job_id!r} is damaged: run `chatledger db check`")
    return found


def _to_item(row: Any) -> BatchItem:
    values = dict(row._mapping)
    values["priority"] = -values.pop("rank")
    for name in ("payload", "result"):
        values[name] = None if values[name] is None else from_json(values[name])
    for name in _ITEM_TIMES:
        if values[name] is not None:
            values[name] = to_moment(values[name])
    return BatchItem.model_validate(values)
