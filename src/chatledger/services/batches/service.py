"""Jobs of many items, each done once."""

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

#: How long an item is a worker's own, where nothing is said.
LEASE = timedelta(minutes=5)


class Batches(Service):
    """Jobs of many items, each done once, by workers in any number of threads, processes and machines.

    A worker claims items under a lease, and shows the claimed item to write what became of it. An item whose lease ends
    goes to somebody else, and the one who comes back late gets LeaseLost. `Ledger.run_batch` does all of it.
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
        """Begin a job, perhaps with items (as `add`). Without an id it is given a UUIDv7.

        An item is begun `max_attempts` times before its failure is final. Before each new attempt it waits for a random
        part of `backoff` seconds, twice, four times as much and so on, and of `backoff_limit` at most. `max_running` is
        how many items may be worked on at once, by all workers; `time_limit` how long one attempt may take.

        Raises:
            BatchExists: the id is taken.
            InvalidInput: another user than the one that this ledger is limited to, or a field that is none.
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
        """Add items (`{"key": …, "payload": …, "priority": …}`); how many were new.

        A key that the job has already adds nothing, whatever its payload. Any iterable will do; it is read a thousand
        items at a time, and all of them are added, or none. Two who add to one job take turns.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an item without a key, or a payload with no JSON form.
        """
        identifier(job_id, "job_id")
        return creation.add(self._context, job_id, items)

    def get(self, job_id: str) -> BatchJob:
        """A job.

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
        """Jobs, newest first. At most 1,000 a page.

        Raises:
            InvalidInput: an unknown status, or a cursor of another list.
        """
        return batch_listing.list_jobs(self._context, user_id, status, limited(limit), cursor)

    def claim(
        self, job_id: str, *, worker: str, limit: int = 1, lease: timedelta | float = LEASE
    ) -> Sequence[BatchItem]:
        """Take up to so many items (1,000 at most) for so long, the most urgent first, then in the order of adding.

        Nobody else gets them before the lease ends. None are given where none waits, where the job is paused or
        cancelled, and where `max_running` are at work. Items whose lease has ended, or whose next attempt is due, are put
        back first; one whose worker was lost in its last attempt has failed, of LeaseExpired.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: a lease that is none.
        """
        identifier(job_id, "job_id")
        called(worker, "worker")
        return claims.claim(self._context, job_id, worker, whole(limit, "limit", 1, 1000), leased(lease))

    def heartbeat(self, item: BatchItem, *, lease: timedelta | float = LEASE) -> datetime:
        """Keep a claimed item for so long from now; until when.

        Raises:
            LeaseLost: somebody else has it by now.
            BatchNotFound, BatchItemNotFound: it is gone, or belongs to another user.
        """
        return claims.renew(self._context, claimed(item), leased(lease))

    def complete(self, item: BatchItem, result: Any = None, *, session_id: str | None = None) -> bool:
        """Record the result (any JSON) of a claimed item, and perhaps the session that holds it; whether it was new.

        What else is written in the same transaction is written once, as the result is. Completing it again under the
        same claim changes nothing. A late result is taken as long as nobody has claimed from the job meanwhile.

        Raises:
            LeaseLost: somebody else has it by now.
            BatchNotFound, BatchItemNotFound: it is gone, or belongs to another user.
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a result with no JSON form.
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
        """Record that an attempt failed; whether it is to be tried again (`delayed`) or was the last (`failed`).

        `kind` is what errors are counted by, by default the exception's class. `retry=False` makes this the last attempt;
        `delay` is how long to wait for the next, in place of the job's back-off. Of the text the first 2,000 characters
        are kept, in the item alone.

        Raises:
            LeaseLost: somebody else has it by now.
            BatchNotFound, BatchItemNotFound: it is gone, or belongs to another user.
            InvalidInput: a delay that is none.
        """
        flags(retry=retry)
        named = called(kind or (error_class(error) if isinstance(error, BaseException) else "Failed"), "kind")
        wait = None if delay is None else duration(delay, "delay", timedelta(0), timedelta(days=365))
        return claims.fail(self._context, claimed(item), named, error_message(error), retry=retry, delay=wait)

    def release(self, item: BatchItem) -> None:
        """Give a claimed item back, as if it had not been begun.

        Raises:
            LeaseLost: somebody else has it by now.
            BatchNotFound, BatchItemNotFound: it is gone, or belongs to another user.
        """
        claims.release(self._context, claimed(item))

    def pause(self, job_id: str) -> BatchJob:
        """Hand out no more items. Those at work go on; workers wait. Pausing a paused job changes nothing.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return self._become(job_id, BatchStatus.PAUSED)

    def resume(self, job_id: str) -> BatchJob:
        """Hand out items again, of a paused job or a cancelled one.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return self._become(job_id, BatchStatus.OPEN)

    def cancel(self, job_id: str) -> BatchJob:
        """Hand out no more items, and let workers go home. Those at work are finished and recorded; nothing is deleted.

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
        """How far a job is. It counts on indexes: a million items take a part of a second.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
        """
        return batch_progress.progress(self._context, identifier(job_id, "job_id"))

    def item(self, job_id: str, key: str) -> BatchItem:
        """One item, by its key.

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
        """Items of a job, perhaps of one status, in the order in which they were added. At most 1,000 a page.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an unknown status, or a cursor of another list.
        """
        limit = limited(limit)
        job_row(self._context, identifier(job_id, "job_id"))
        return batch_listing.list_items(self._context, job_id, status, limit, cursor)

    def iterate(self, job_id: str, *, status: ItemStatusLike | None = None) -> Iterator[BatchItem]:
        """All items of a job, however many, a few hundred in memory at a time.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            InvalidInput: an unknown status.
        """
        job_row(self._context, identifier(job_id, "job_id"))
        return batch_listing.all_items(self._context, job_id, None if status is None else word_of(ItemStatus, status))

    def delete(self, job_id: str) -> int:
        """Delete a job with its items, in one transaction; how many they were. Sessions that were recorded stay.

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
