"""Creating jobs, and adding items to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Text, bindparam, column, select, update

from chatledger.dialects.constructs import json_texts
from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.errors import BatchExists, InvalidInput
from chatledger.ids import new_id
from chatledger.schemas import NewBatch, NewBatchItem
from chatledger.schemas.fields import MAX_COUNT, validated
from chatledger.services.base import ServiceContext
from chatledger.services.batches.statements import JOB_KEY, items, job_row, jobs

# Items that are added by one statement.
_CHUNK = 1000


def create(context: ServiceContext, given: NewBatch) -> str:
    """Make the row of a job; its id."""
    if context.owner is not None and given.user_id not in (None, context.owner):
        raise InvalidInput("user_id", "is not the user that this ledger is limited to")
    now = context.now()
    job_id = given.job_id or new_id()
    row = {
        "job_id": job_id,
        "user_id": given.user_id if context.owner is None else context.owner,
        "name": given.name,
        "metadata": given.metadata or None,
        "max_attempts": given.max_attempts,
        "backoff_ms": _milliseconds(given.backoff),
        "backoff_limit_ms": _milliseconds(given.backoff_limit),
        "max_running": given.max_running,
        "time_limit_ms": None if given.time_limit is None else max(_milliseconds(given.time_limit), 1),
        "created_at": now,
        "updated_at": now,
    }
    statement = context.dialect.insert(jobs).values(row).on_conflict_do_nothing(index_elements=[jobs.c.job_id])
    if context.execute(statement.returning(jobs.c.job_id)).scalar_one_or_none() is None:
        raise BatchExists(job_id)
    return job_id


def add(context: ServiceContext, job_id: str, given: Iterable[NewBatchItem | Mapping[str, Any]]) -> int:
    """Add the items whose keys are new; how many."""
    job = job_row(context, job_id, lock=True)
    first = last = job.last_item
    for chunk in _chunks(given):
        for key in context.execute(_KNOWN, {"job": job_id, "keys": encode_json([*chunk], "key")}).scalars():
            del chunk[key]
        rows = [{"job_id": job_id, "item_number": last + place, **row} for place, row in enumerate(chunk.values(), 1)]
        last += len(rows)
        if last > MAX_COUNT:
            raise InvalidInput("items", "are more than a job can hold")
        now = context.now()
        if rows:
            context.insert_rows(items, [{**row, "created_at": now} for row in rows])
    if last > first:
        context.execute(_COUNTED, {"job": job_id, "last": last, "now": context.now()})
    return int(last - first)


def _chunks(given: Iterable[NewBatchItem | Mapping[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    """What is given as rows without a number, by key; of two with one key the first counts."""
    chunk: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(_iterated(given)):
        try:
            item = validated(NewBatchItem, one)
            payload = encode_json(item.payload, "payload")
        except InvalidInput as error:
            raise InvalidInput(f"items.{number}.{error.field}", error.reason) from None
        chunk.setdefault(item.key, {"key": item.key, "payload": payload, "rank": -item.priority})
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = {}
    if chunk:
        yield chunk


def _iterated(given: Any) -> Iterator[Any]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput("items", "must be several items, each with a key and a payload")
    return iter(given)


def _milliseconds(length: timedelta) -> int:
    return round(length / timedelta(milliseconds=1))


# Each key is looked up by itself: while a large job is being filled there are no statistics yet, and a planner that is
# asked for all of them at once reads the whole job.
_GIVEN = json_texts(bindparam("keys", type_=Text())).table_valued(column("value", Identifier()), name="given")
_NUMBER = select(items.c.item_number).where(items.c.job_id == JOB_KEY, items.c.key == _GIVEN.c.value).scalar_subquery()
_KNOWN = select(_GIVEN.c.value).where(_NUMBER.is_not(None))
_COUNTED = (
    update(jobs)
    .where(jobs.c.job_id == JOB_KEY)
    .values(last_item=bindparam("last", type_=Whole), updated_at=bindparam("now", type_=Timestamp()))
)
