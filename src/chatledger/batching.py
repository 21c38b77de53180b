"""Running a batch: workers in threads, as long as there is something to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chatledger.transactions import Transactions

if TYPE_CHECKING:
    from chatledger.schemas import BatchItem, BatchProgress

#: How long a worker's items are its own, unless it says anew that it is there (three times as often).
LEASE = timedelta(minutes=1)


class Batching(Transactions):
    """Runs batches, on top of `uow.batches`."""

    def run_batch(
        self,
        job_id: str,
        worker: Callable[[BatchItem], Any],
        *,
        concurrency: int = 4,
        lease: timedelta | float = LEASE,
        name: str | None = None,
        grace: float = 10.0,
        progress: Callable[[BatchProgress], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> BatchProgress:
        """ServiceContext on a job until nothing is left to do, with so many items at once, each in a thread.

        `worker` is given a claimed item, outside of any transaction, and returns its result: any JSON, or a
        `BatchResult`, which also records something in the transaction that completes the item. An exception is a failed
        attempt; `Retry` chooses when the next one is, `GiveUp` that there is none. Any number of runs may work on one
        job, in threads, processes and machines. It waits while the job is paused, while other runs work on what may come
        back, and for a minute when the database is away.

        Leases are renewed meanwhile. A thread cannot be stopped: an attempt that takes longer than the job's time limit
        has failed, and what its thread brings later is not recorded.

        `stopping` is asked about once a second; then, as after Ctrl-C in the main thread, nothing more is begun, items
        at work have `grace` seconds, and the rest is given back. Ctrl-C is raised on in the end; a second one raises at
        once. `progress` is told about once a second.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            Busy, Unavailable: the database was away for a minute. Items at work come back when their lease ends.
            InvalidInput: an argument that is none, or an async worker (that is for `AsyncLedger`).
        """
        from chatledger.batch_threads import run_in_threads  # noqa: PLC0415 - few programs run batches

        return run_in_threads(
            self, worker, stopping, job_id=job_id, concurrency=concurrency, lease=lease, name=name, grace=grace,
            progress=progress,
        )  # fmt: skip
