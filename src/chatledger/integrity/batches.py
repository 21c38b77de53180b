"""Batches: items without their job, and jobs whose count is behind their items. Both are mended without a guess."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import exists, func, insert, select, update

from chatledger.enums import BatchStatus
from chatledger.services.base import ServiceContext
from chatledger.services.batches.statements import items, jobs
from chatledger.services.rows import sessions


class Wrong(NamedTuple):
    """A job that is not there, or that knows of fewer items than there are."""

    job_id: str
    missing: bool
    last_item: int
    rows: int

    @property
    def message(self) -> str:
        what = "has no job" if self.missing else f"job counts fewer than {self.last_item} items"
        return f"{self.job_id!r}: {what} ({self.rows} items)"


def wrong(context: ServiceContext) -> Iterator[Wrong]:
    """Every job with which something is wrong."""
    for row in context.execute(_WRONG).all():
        yield Wrong(row.job_id, row.known is None, row.last, row.rows)


def unheld(context: ServiceContext) -> Iterator[tuple[str, int]]:
    """Items that name a session which is not there: job, number."""
    for row in context.execute(_UNHELD):
        yield row.job_id, row.item_number


def mend(context: ServiceContext, found: Wrong) -> None:
    """Make the row of a missing job, paused and nobody's; or let a job count its items."""
    if not found.missing:
        context.execute(update(jobs).where(jobs.c.job_id == found.job_id).values(last_item=found.last_item))
        return
    now = context.now()
    values = {
        "job_id": found.job_id, "name": "Recovered by a repair", "status": BatchStatus.PAUSED,
        "last_item": found.last_item, "max_attempts": 5, "backoff_ms": 1000, "backoff_limit_ms": 300_000,
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    context.execute(insert(jobs), values)


_BY_JOB = (
    select(items.c.job_id, func.max(items.c.item_number).label("last"), func.count().label("rows"))
    .group_by(items.c.job_id)
    .subquery()
)
_WRONG = (
    select(_BY_JOB, jobs.c.job_id.label("known"))
    .select_from(_BY_JOB.outerjoin(jobs, jobs.c.job_id == _BY_JOB.c.job_id))
    .where(jobs.c.job_id.is_(None) | (jobs.c.last_item < _BY_JOB.c.last))
    .order_by(_BY_JOB.c.job_id)
)
_UNHELD = select(items.c.job_id, items.c.item_number).where(
    items.c.session_id.is_not(None), ~exists(select(1).where(sessions.c.session_id == items.c.session_id))
)
