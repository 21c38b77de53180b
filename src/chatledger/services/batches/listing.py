"""Lists of jobs and of their items, a page or a chunk at a time, by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, select, tuple_

from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import BatchStatus, BatchStatusLike, ItemStatus, ItemStatusLike
from chatledger.schemas import BatchItem, BatchJob, Page
from chatledger.schemas.fields import identifier, whole
from chatledger.services.base import ServiceContext
from chatledger.services.batches.arguments import word_of
from chatledger.services.batches.statements import ITEM, JOB_KEY, is_status, items, jobs, to_items, to_job
from chatledger.services.pagination import decode_cursor, decode_moment_cursor, encode_cursor

# Items that are read at a time where all are wanted.
_CHUNK = 500


def list_jobs(
    context: ServiceContext, user_id: str | None, status: BatchStatusLike | None, limit: int, cursor: str | None
) -> Page[BatchJob]:
    """A page of jobs, newest first."""
    statement = select(jobs)
    for owner in (user_id, context.owner):
        if owner is not None:
            statement = statement.where(jobs.c.user_id == identifier(owner, "user_id"))
    if status is not None:
        statement = statement.where(jobs.c.status == word_of(BatchStatus, status))
    if cursor is not None:
        at, last = decode_moment_cursor("batches", cursor, str)
        place = tuple_(bindparam("at", at, type_=Timestamp()), bindparam("last", last, type_=Identifier()))
        statement = statement.where(tuple_(jobs.c.created_at, jobs.c.job_id) < place)
    statement = statement.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc()).limit(limit + 1)
    found = [to_job(row) for row in context.execute(statement)]
    page = found[:limit]
    more = len(found) > limit
    return Page[BatchJob](
        items=tuple(page),
        next_cursor=encode_cursor("batches", page[-1].created_at.isoformat(), page[-1].job_id) if more else None,
    )


def list_items(
    context: ServiceContext, job_id: str, status: ItemStatusLike | None, limit: int, cursor: str | None
) -> Page[BatchItem]:
    """A page of the items of a job, in the order in which they were added."""
    after = 0 if cursor is None else decode_cursor("batch items", cursor, int)[0]
    wanted = None if status is None else word_of(ItemStatus, status)
    found = _after(context, job_id, wanted, whole(after, "cursor"), limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return Page[BatchItem](
        items=tuple(page), next_cursor=encode_cursor("batch items", page[-1].item_number) if more else None
    )


def all_items(context: ServiceContext, job_id: str, status: ItemStatus | None) -> Iterator[BatchItem]:
    """All items of a job, a chunk at a time."""
    after = 0
    while found := _after(context, job_id, status, after, _CHUNK):
        yield from found
        after = found[-1].item_number


def _after(
    context: ServiceContext, job_id: str, status: ItemStatus | None, after: int, limit: int
) -> Sequence[BatchItem]:
    statement = select(*ITEM).where(items.c.job_id == JOB_KEY, items.c.item_number > bindparam("after", type_=Whole))
    if status is not None:
        statement = statement.where(is_status(status))
    statement = statement.order_by(items.c.item_number).limit(bindparam("count", type_=Whole))
    return to_items(context.execute(statement, {"job": job_id, "after": after, "count": limit}).all())
