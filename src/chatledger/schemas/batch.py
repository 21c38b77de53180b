"""Batches as users hand them in and hold them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chatledger.enums import BatchStatus, ItemStatus
from chatledger.schemas.fields import Duration, Identifier, Input, Name, Record, Text, no_flag

MOST_URGENT = 1_000_000_000
"""Bounds of a priority; the negation of each fits as well."""
Wait = Annotated[timedelta, BeforeValidator(no_flag), Field(ge=timedelta(0), le=timedelta(days=365))]


class NewBatch(Input):
    """A job to create. Without an id it is given a UUIDv7."""

    job_id: Identifier | None = None
    user_id: Identifier | None = None
    name: Text | None = None
    metadata: dict[Name, Any] | None = None
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 5
    backoff: Wait = timedelta(seconds=1)
    backoff_limit: Wait = timedelta(minutes=5)
    max_running: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    time_limit: Duration | None = None


class NewBatchItem(Input):
    """An item to add to a job."""

    key: Identifier
    """What tells it from the others: adding it again adds nothing."""
    payload: Any = None
    """Any JSON: what the worker is given."""
    priority: Annotated[int, Field(strict=True, ge=-MOST_URGENT, le=MOST_URGENT)] = 0
    """Higher ones are claimed first, equal ones in the order in which they were added."""


class BatchJob(Record):
    """A job, as it stood when it was read."""

    job_id: str
    user_id: str | None
    name: str | None
    status: BatchStatus
    metadata: dict[str, Any]
    max_attempts: int
    """How often an item is begun before its failure is final."""
    backoff: timedelta
    """The wait before the second attempt is up to so long, and doubles with each, up to `backoff_limit`."""
    backoff_limit: timedelta
    max_running: int | None
    """How many items may be worked on at once, by all workers together."""
    time_limit: timedelta | None
    """How long one attempt may take."""
    last_item: int
    """The number of the newest item."""
    created_at: datetime
    updated_at: datetime


class BatchItem(Record):
    """One item of a job, as it stood when it was read. A claimed one is also the right to write what became of it."""

    job_id: str
    item_number: int
    """From 1, in the order in which they were added."""
    key: str
    payload: Any
    priority: int
    status: ItemStatus
    attempts: int
    """How often it was begun."""
    lease: int
    """The token of a claim. Each claim has a higher one, and only the highest may write."""
    worker: str | None
    """Who has it, or had it last."""
    due_at: datetime | None
    """When the lease ends, or the next attempt may begin."""
    claimed_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    result: Any
    session_id: str | None
    """The session that the result was recorded as."""
    error_kind: str | None
    """What the last attempt failed with: the name of the error, and its text."""
    error: str | None


class BatchProgress(Record):
    """How far a job is, at a moment."""

    job_id: str
    at: datetime
    status: BatchStatus
    total: int
    waiting: int
    delayed: int
    """Failed, and waiting for another attempt."""
    running: int
    done: int
    failed: int
    """Failed for good; `retry_failed` brings them back."""
    errors: dict[str, int]
    """By the name of the error: those that failed for good, and those that are to be tried again."""
    rate: float | None
    """Items done a second, over the last minute; None where none was."""
    time_left: timedelta | None
    """How long the rest takes at that rate."""

    @property
    def left(self) -> int:
        """Items that are neither done nor failed for good."""
        return self.waiting + self.delayed + self.running

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do. A cancelled job is finished when no item is being worked on."""
        return self.running == 0 if self.status is BatchStatus.CANCELLED else self.left == 0
