"""How far a job is. Every figure is counted on an index that holds nothing else, so that none is kept anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select, union_all

from chatledger.dialects.types import Timestamp
from chatledger.enums import ItemStatus
from chatledger.schemas import BatchProgress
from chatledger.services.base import ServiceContext
from chatledger.services.batches.statements import COMING_BACK, JOB_KEY, is_status, items, job_row, listed_as

# The time over which a rate is taken.
_WINDOW = timedelta(minutes=1)


def progress(context: ServiceContext, job_id: str) -> BatchProgress:
    """Count the items of a job."""
    job = job_row(context, job_id)
    now = context.now()
    bound = {"job": job_id}
    counts: dict[str, int] = dict.fromkeys(ItemStatus, 0)
    counts |= {row.word: row.number for row in context.execute(_COUNTS, bound)}
    errors: dict[str, int] = {}
    for row in context.execute(_ERRORS, bound):
        errors[row.error_kind] = errors.get(row.error_kind, 0) + row.number
    left = counts["waiting"] + counts["delayed"] + counts["running"]
    rate = _rate(context.execute(_RECENT, {**bound, "since": now - _WINDOW}).one(), now)
    return BatchProgress(
        job_id=job_id,
        at=now,
        status=job.status,
        total=sum(counts.values()),
        errors=dict(sorted(errors.items())),
        rate=rate,
        time_left=timedelta(seconds=min(left / rate, 10**9)) if rate else None,
        **counts,
    )


def next_due(context: ServiceContext, job_id: str) -> datetime | None:
    """Return when the next lease ends or the next attempt is due."""
    return _earliest(context.execute(_NEXT_DUE, {"job": job_id}).scalars().all())


def any_waiting(context: ServiceContext, job_id: str) -> bool:
    """Return whether an item is waiting, without regard to limits."""
    return context.execute(_ANY, {"job": job_id}).scalar() is not None


def _earliest(found: Any) -> datetime | None:
    return min((at for at in found if at is not None), default=None)


def _rate(recent: Any, now: datetime) -> float | None:
    """Items a second between the first of the last minute and now."""
    if not recent.number:
        return None
    seconds = (now - recent.first).total_seconds()
    # The first one began to be done before the time that is measured.
    return (recent.number - 1) / seconds if seconds > 0 and recent.number > 1 else None


def _count(status: ItemStatus) -> Select[str, int]:
    return select(literal(status.value).label("word"), func.count().label("number")).where(
        items.c.job_id == JOB_KEY, listed_as(status)
    )


_COUNTS = union_all(*map(_count, ItemStatus))
_ERRORS = union_all(
    *(
        select(items.c.error_kind, func.count().label("number"))
        .where(items.c.job_id == JOB_KEY, listed_as(status), items.c.error_kind.is_not(None))
        .group_by(items.c.error_kind)
        for status in (ItemStatus.DELAYED, ItemStatus.FAILED)
    )
)
_RECENT = select(func.count().label("number"), func.min(items.c.finished_at).label("first")).where(
    items.c.job_id == JOB_KEY,
    is_status(ItemStatus.DONE),
    items.c.finished_at > bindparam("since", type_=Timestamp()),
)
_NEXT_DUE = union_all(
    *(select(func.min(items.c.due_at)).where(items.c.job_id == JOB_KEY, listed_as(status)) for status in COMING_BACK)
)
_ANY = select(items.c.item_number).where(items.c.job_id == JOB_KEY, is_status(ItemStatus.WAITING)).limit(1)
