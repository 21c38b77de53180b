"""Batch jobs: many items, the result of each recorded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, literal_column, select, update

from chatledger.dialects.encoding import encode_json
from chatledger.enums import BatchStatus, BatchStatusLike, ItemStatus, ItemStatusLike
from chatledger.errors import BatchItemNotFound
from chatledger.schemas import BatchItem, BatchJob, BatchProgress, NewBatch, NewBatchItem, Page
from chatledger.schemas.fields import called, flags, identifier, validated, whole
from chatledger.services.base import Service
from chatledger.services.batches import claims, creation
from chatledger.services.batches import listing as batch_listing
from chatledger.services.batches import progress as batch_progress
from chatledger.services.batches.arguments import claimed, duration, leased, word_of
from chatledger.services.batches.statements import ITEM, JOB_KEY, is_status, items, job_row, jobs, to_items, to_job
from chatledger.services.error_text import error_class, error_message
from chatledger.services.pagination import limited
from chatledger.services.visibility import require_kept

LEASE = timedelta(minutes=5)
"""How long an item is a worker's own, where nothing is said."""


class Batches(Service):
    """Jobs of many items, for workers in any number of threads, processes and machines.

    The result of each item is recorded only once, even if a worker is killed or reports back after another worker has
    taken over. A worker claims items under a lease and passes the claimed item when it records what became of it. When
    the lease ends, the item goes to another worker, and the first one gets LeaseLost. `Ledger.run_batch` does all of
    this.
    """

    __slots__ = ()

    def create(
        self,
        job_id: str | None = None,
        items: Iterable[NewBatchItem | Mapping[str, Any]] = (),
        *,
        user_id: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_attempts: int = 5,
        backoff: timedelta | float = 1.0,
        backoff_limit: timedelta | float = 300.0,
        max_running: int | None = None,
        time_limit: timedelta | float | None = None,
    ) -> BatchJob:
        """Create a job, optionally with items (as in `add`). Without an id it gets a UUIDv7.

        An item is attempted up to `max_attempts` times before its failure is final. Before each new attempt it waits
        for a random part of `backoff` seconds, then of twice that, four times and so on, up to `backoff_limit`.
        `max_running` limits the items in progress across all workers; `time_limit` is the time for one attempt.

        Raises:
            BatchExists: the id is taken.
            InvalidInput: a user other than the one that this ledger is limited to, or an invalid field.
        """
        given = validated(
            NewBatch,
            {
                "job_id": job_id, "user_id": user_id, "name": name, "metadata": metadata, "max_attempts": max_attempts,
                "backoff": backoff, "backoff_limit": backoff_limit, "max_running": max_running,
                "time_limit": time_limit,
            },
        )  # fmt: skip
        made = creation.create(self._context, given)
        creation.add(self._context, made, items)
        return self.get(made)

    def add(self, job_id: str, items: Iterable[NewBatchItem | Mapping[str, Any]]) -> int:
        """Add items (`{"key": …, "payload": …, "priority": …}`). Return how many were new.

        A key that the job already has adds nothing, whatever its payload. Takes any iterable, reads it a thousand items
        at a time, and adds all of them or none. Two writers that add to one job take turns.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an item without a key, or a payload that cannot be stored as JSON.
        """
        identifier(job_id, "job_id")
        return creation.add(self._context, job_id, items)

    def get(self, job_id: str) -> BatchJob:
        """Return a job.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return to_job(job_row(self._context, identifier(job_id, "job_id")))

    def list(
        self,
        *,
        user_id: str | None = None,
        status: BatchStatusLike | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[BatchJob]:
        """Return jobs, newest first, at most 1,000 a page.

        Raises:
            InvalidInput: an unknown status, or a cursor of another list.
        """
        return batch_listing.list_jobs(self._context, user_id, status, limited(limit), cursor)

    def claim(
        self, job_id: str, *, worker: str, limit: int = 1, lease: timedelta | float = LEASE
    ) -> Sequence[BatchItem]:
        """Claim up to `limit` items (1,000 at most) for the time of the lease: highest priority first, then in the
        order added.

        No other worker gets them before the lease ends. Returns none if no item waits, if the job is paused or
        cancelled, or if `max_running` items are in progress. Items whose lease has ended, or whose next attempt is due,
        return to the queue first; if the worker was lost in the last attempt, the item has failed with LeaseExpired.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an invalid lease.
        """
        identifier(job_id, "job_id")
        called(worker, "worker")
        return claims.claim(self._context, job_id, worker, whole(limit, "limit", 1, 1000), leased(lease))

    def heartbeat(self, item: BatchItem, *, lease: timedelta | float = LEASE) -> datetime:
        """Renew the lease of a claimed item from now on. Return when it ends.

        Raises:
            LeaseLost: another worker has claimed the item.
            BatchNotFound, BatchItemNotFound: it was deleted, or belongs to another user.
        """
        return claims.renew(self._context, claimed(item), leased(lease))

    def complete(self, item: BatchItem, result: Any = None, *, session_id: str | None = None) -> bool:
        """Record the result (any JSON value) of a claimed item, and optionally the session that holds it. Return
        whether it is new.

        Whatever else is written in the same transaction is written only once, as the result is. Completing an item
        again under the same claim changes nothing. A late result is accepted unless a worker has claimed from the job
        since the lease ended.

        Raises:
            LeaseLost: another worker has claimed the item.
            BatchNotFound, BatchItemNotFound: it was deleted, or belongs to another user.
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a result that cannot be stored as JSON.
        """
        written = encode_json(result, "result")
        claimed(item)
        if session_id is not None:
            require_kept(self._context, identifier(session_id, "session_id"))
        return claims.complete(self._context, item, written, session_id)

    def fail(
        self,
        item: BatchItem,
        error: BaseException | str,
        *,
        kind: str | None = None,
        retry: bool = True,
        delay: timedelta | float | None = None,
    ) -> ItemStatus:
        """Record that an attempt failed. Return whether the item will be tried again (`delayed`) or has `failed`.

        `kind` is the key under which errors are counted, by default the class of the exception. `retry=False` makes
        this the last attempt. `delay` replaces the job's back-off before the next attempt. The first 2,000 characters
        of the error's text are kept, in the item only.

        Raises:
            LeaseLost: another worker has claimed the item.
            BatchNotFound, BatchItemNotFound: it was deleted, or belongs to another user.
            InvalidInput: an invalid delay.
        """
        flags(retry=retry)
        named = called(kind or (error_class(error) if isinstance(error, BaseException) else "Failed"), "kind")
        wait = None if delay is None else duration(delay, "delay", timedelta(0), timedelta(days=365))
        return claims.fail(self._context, claimed(item), named, error_message(error), retry=retry, delay=wait)

    def release(self, item: BatchItem) -> None:
        """Return a claimed item to the queue, as if it had not been started.

        Raises:
            LeaseLost: another worker has claimed the item.
            BatchNotFound, BatchItemNotFound: it was deleted, or belongs to another user.
        """
        claims.release(self._context, claimed(item))

    def pause(self, job_id: str) -> BatchJob:
        """Hand out no more items. Items in progress continue; workers wait. Pausing a paused job changes nothing.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return self._become(job_id, BatchStatus.PAUSED)

    def resume(self, job_id: str) -> BatchJob:
        """Hand out items of a paused or cancelled job again.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return self._become(job_id, BatchStatus.OPEN)

    def cancel(self, job_id: str) -> BatchJob:
        """Hand out no more items and let workers stop. Items in progress are finished and recorded; nothing is deleted.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return self._become(job_id, BatchStatus.CANCELLED)

    def retry_failed(self, job_id: str, *, kind: str | None = None) -> int:
        """Put items that failed for good back into the queue, with all their attempts restored. Return how many.

        `kind` chooses those that failed with such an error.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        job_row(self._context, identifier(job_id, "job_id"))
        statement = update(items).where(items.c.job_id == JOB_KEY, is_status(ItemStatus.FAILED))
        if kind is not None:
            statement = statement.where(items.c.error_kind == identifier(kind, "kind"))
        waiting = literal_column(f"'{ItemStatus.WAITING}'", items.c.status.type)
        return self._context.change(
            statement.values(status=waiting, attempts=0, finished_at=None, due_at=None), {"job": job_id}
        )

    def progress(self, job_id: str) -> BatchProgress:
        """Return the progress of a job. It counts on indexes: a million items take a fraction of a second.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return batch_progress.progress(self._context, identifier(job_id, "job_id"))

    def item(self, job_id: str, key: str) -> BatchItem:
        """Return an item by its key.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            BatchItemNotFound: the job has no such item.
        """
        job_row(self._context, identifier(job_id, "job_id"))
        wanted = select(*ITEM).where(items.c.job_id == JOB_KEY, items.c.key == identifier(key, "key"))
        found = to_items(self._context.execute(wanted, {"job": job_id}).all())
        if not found:
            raise BatchItemNotFound(job_id, key)
        return found[0]

    def items(
        self, job_id: str, *, status: ItemStatusLike | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[BatchItem]:
        """Return items of a job, optionally of one status, in the order in which they were added, at most 1,000 a page.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an unknown status, or a cursor of another list.
        """
        limit = limited(limit)
        job_row(self._context, identifier(job_id, "job_id"))
        return batch_listing.list_items(self._context, job_id, status, limit, cursor)

    def iterate(self, job_id: str, *, status: ItemStatusLike | None = None) -> Iterator[BatchItem]:
        """Iterate over all items of a job. A few hundred are in memory at a time.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an unknown status.
        """
        job_row(self._context, identifier(job_id, "job_id"))
        return batch_listing.all_items(self._context, job_id, None if status is None else word_of(ItemStatus, status))

    def delete(self, job_id: str) -> int:
        """Delete a job with its items, in one transaction. Return the number of items. Sessions that they recorded
        stay.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        job_row(self._context, identifier(job_id, "job_id"), lock=True)
        gone = self._context.change(delete(items).where(items.c.job_id == JOB_KEY), {"job": job_id})
        self._context.execute(delete(jobs).where(jobs.c.job_id == JOB_KEY), {"job": job_id})
        return gone

    def _become(self, job_id: str, status: BatchStatus) -> BatchJob:
        job_row(self._context, identifier(job_id, "job_id"), lock=True)
        statement = update(jobs).where(jobs.c.job_id == JOB_KEY, jobs.c.status != status)
        self._context.execute(statement.values(status=status, updated_at=self._context.now()), {"job": job_id})
        return self.get(job_id)
