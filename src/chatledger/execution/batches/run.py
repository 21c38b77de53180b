"""One run over a batch, without threads or an event loop: it decides what to do next, and a driver does it.

Each round is one transaction: finished items are recorded, leases are renewed, and items are claimed. So a quick worker
costs one commit a round and not two an item, and a round that could not be committed is repeated as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chatledger.callbacks import plain
from chatledger.enums import BatchStatus
from chatledger.errors import Busy, LeaseLost, NotFound, Unavailable, UnitOfWorkEnded
from chatledger.execution.batches.options import RunOptions
from chatledger.execution.batches.outcomes import BatchResult, GiveUp, Retry
from chatledger.execution.batches.steps import AbandonItem, FinishedItem, StartItem, Step, Steps, Transact, Wait
from chatledger.execution.lease_renewal import LeaseRenewal
from chatledger.execution.outage import Outage
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.services.batches import claims
from chatledger.services.batches import progress as batch_progress
from chatledger.services.error_text import error_class, error_message
from chatledger.unit_of_work import UnitOfWork

TIME_LIMIT = "TimeLimit"
"""The kind of error of an attempt that took longer than the job allows."""
# Seconds between two polls of an empty queue: at first, and at most.
_MIN_POLL, _MAX_POLL = 0.05, 1.0
# The most seconds to wait for workers while results are still to be recorded, or the run is ending.
_SHORT_WAIT = 0.2
# Seconds between two reports of the progress; counting may take one part in so many of the time.
_REPORT_INTERVAL, _REPORT_SHARE = 1.0, 20


@dataclass
class _Held:
    """An item that this run has claimed and whose worker is running."""

    item: BatchItem
    started: float
    renewal: LeaseRenewal


@dataclass(frozen=True)
class _RoundResult:
    claimed: Sequence[BatchItem]
    lost: Sequence[int]


@dataclass(frozen=True)
class _Queue:
    """The job and its queue as a poll has found them."""

    status: BatchStatus
    now: datetime
    waiting: bool
    next_due: datetime | None
    time_limit: timedelta | None

    @property
    def claimable(self) -> bool:
        due = self.next_due is not None and self.next_due <= self.now
        return self.status is BatchStatus.OPEN and (self.waiting or due)

    @property
    def over(self) -> bool:
        return self.status is BatchStatus.CANCELLED or not (self.waiting or self.next_due)

    def delay(self, longest: float) -> float:
        """The seconds until the next poll."""
        if self.next_due is None or self.status is not BatchStatus.OPEN:
            return longest
        return min(longest, max((self.next_due - self.now).total_seconds(), 0.001))


@dataclass
class Run:
    """One run: the items that it holds, and the generator of its steps."""

    options: RunOptions
    held: dict[int, _Held] = field(default_factory=dict)
    _finished: list[FinishedItem] = field(default_factory=list)
    _outage: Outage = field(default_factory=Outage)
    _time_limit: float | None = None
    _poll_at: float = 0.0
    _poll_interval: float = _MIN_POLL
    _report_at: float = 0.0
    _over: bool = False
    _capped: bool = False

    def steps(self) -> Steps:
        """Yield what to do next, until nothing is left to do or the run is to stop. Return the progress."""
        while not self._over and not self.options.stopping():
            now = time.monotonic()
            free = self.options.concurrency - len(self.held)
            if free > 0 and now >= self._poll_at and (yield from self._poll()):
                yield from self._round(free)
            elif self._finished or self._is_due(now):
                yield from self._round(0)
            yield from self._report()
            if not self._over:
                self._finished += yield Wait(self._wait_time())
        deadline = time.monotonic() + self.options.grace
        while (self.held or self._finished) and time.monotonic() < deadline:
            if self._finished or self._is_due(time.monotonic()):
                yield from self._round(0)
            if self.held or self._finished:
                self._finished += yield Wait(min(self._wait_time(), _SHORT_WAIT))
        if self.held:
            yield from self._transact_at_last(Transact(self.give_back))
            for held in self.held.values():
                yield AbandonItem(held.item)
            self.held.clear()
        last: BatchProgress = yield from self._transact_at_last(Transact(self._progress, read_only=True))
        if self.options.on_progress is not None:
            self.options.on_progress(last)
        return last

    def give_back(self, uow: UnitOfWork) -> bool:
        """Record what has finished, and put everything else back into the queue. Returns True."""
        finished = self._finished_numbers(self._finished)
        for one in self._finished:
            _record(uow, one)
        for number, held in self.held.items():
            if number not in finished:
                _unless_lost(lambda held=held: uow.batches.release(held.item))  # type: ignore[misc]
        return True

    def _poll(self) -> Generator[Step, Any, bool]:
        """Return whether there may be something to claim. After a round that claimed all it could, there is no query."""
        if self._poll_interval == 0.0:
            return True
        queue = yield from self._transact(Transact(self._queue, read_only=True))
        if queue is None:
            return False
        self._time_limit = None if queue.time_limit is None else queue.time_limit.total_seconds()
        if queue.claimable:
            return True
        if queue.over and not self.held and not self._finished:
            self._over = True
            return False
        self._postpone_poll(queue.delay(self._poll_interval))
        return False

    def _round(self, free: int) -> Generator[Step, Any, None]:
        now = time.monotonic()
        finished, self._finished = self._finished, []
        gone = self._finished_numbers(finished)
        open_ = [held for number, held in self.held.items() if number not in gone]
        late = [held.item for held in open_ if self._is_late(held, now)]
        renewed = [held.item for held in open_ if held.renewal.is_due(now) and held.item not in late]
        free += len(gone) + len(late) if free else 0
        result = yield from self._transact(Transact(self._round_work(finished, late, renewed, free)))
        if result is None:  # it is repeated, with what has finished by then
            self._finished = finished + self._finished
            return
        for number in gone:
            self.held.pop(number, None)
        for number in [item.item_number for item in late] + list(result.lost):
            held = self.held.pop(number, None)
            if held is not None:
                yield AbandonItem(held.item)
        for item in renewed:
            if item.item_number in self.held:
                self.held[item.item_number].renewal.renewed()
        for item in result.claimed:
            self.held[item.item_number] = _Held(item, time.monotonic(), LeaseRenewal(self.options.lease))
            yield StartItem(item)
        if free and len(result.claimed) == free:
            self._poll_interval, self._poll_at = 0.0, 0.0
        elif free and (result.claimed or self._poll_interval == 0.0):
            self._poll_interval = _MIN_POLL
            self._postpone_poll(0.0)
        elif free:  # items wait, but as many as are allowed are running, or other runs were quicker
            self._capped = True
            self._postpone_poll(self._poll_interval)
        elif gone and self._capped:
            self._capped, self._poll_at = False, 0.0

    def _finished_numbers(self, finished: Sequence[FinishedItem]) -> set[int]:
        """The held items that have finished. One of an abandoned attempt may be held again, under another lease."""
        numbers = set()
        for one in finished:
            held = self.held.get(one.item.item_number)
            if held is not None and held.item.lease == one.item.lease:
                numbers.add(one.item.item_number)
        return numbers

    def _round_work(
        self, finished: Sequence[FinishedItem], late: Sequence[BatchItem], renewed: Sequence[BatchItem], free: int
    ) -> Callable[[UnitOfWork], _RoundResult]:
        options = self.options

        def work(uow: UnitOfWork) -> _RoundResult:
            for one in finished:
                _record(uow, one)
            for item in late:
                text = f"took longer than {self._time_limit:g} seconds"
                _unless_lost(lambda item=item, text=text: uow.batches.fail(item, text, kind=TIME_LIMIT))  # type: ignore[misc]
            lost = [
                item.item_number
                for item in renewed
                if not _unless_lost(lambda item=item: uow.batches.heartbeat(item, lease=options.lease))  # type: ignore[misc]
            ]
            claimed: Sequence[BatchItem] = ()
            if free:
                limit = min(free, 1000)
                claimed = uow.batches.claim(options.job_id, worker=options.worker, limit=limit, lease=options.lease)
            return _RoundResult(claimed, lost)

        return work

    def _queue(self, uow: UnitOfWork) -> _Queue:
        job = uow.batches.get(self.options.job_id)
        context = uow._context
        return _Queue(
            job.status,
            context.now(),
            batch_progress.any_waiting(context, job.job_id),
            batch_progress.next_due(context, job.job_id),
            job.time_limit,
        )

    def _progress(self, uow: UnitOfWork) -> BatchProgress:
        return uow.batches.progress(self.options.job_id)

    def _report(self) -> Generator[Step, Any, None]:
        began = time.monotonic()
        if self.options.on_progress is None or began < self._report_at:
            return
        progress = yield from self._transact(Transact(self._progress, read_only=True))
        if progress is not None:
            self.options.on_progress(progress)
        now = time.monotonic()
        self._report_at = now + max(_REPORT_INTERVAL, _REPORT_SHARE * (now - began))

    def _transact(self, step: Transact) -> Generator[Step, Any, Any]:
        """Return what the transaction returned, or None if the database is away and the run waits for it."""
        try:
            result = yield step
        except (Busy, Unavailable) as error:
            if not self._outage.should_wait(error):
                raise
            self._poll_interval = _MAX_POLL
            self._postpone_poll(_MAX_POLL)
            return None
        self._outage.end()
        return result

    def _transact_at_last(self, step: Transact) -> Generator[Step, Any, Any]:
        """Return what the transaction returned, repeating it while the database is away."""
        while (result := (yield from self._transact(step))) is None:
            self._finished += yield Wait(_SHORT_WAIT)
        return result

    def _postpone_poll(self, seconds: float) -> None:
        self._poll_at = time.monotonic() + seconds
        self._poll_interval = min(max(self._poll_interval, _MIN_POLL) * 2, _MAX_POLL)

    def _is_due(self, now: float) -> bool:
        return any(held.renewal.is_due(now) or self._is_late(held, now) for held in self.held.values())

    def _is_late(self, held: _Held, now: float) -> bool:
        return self._time_limit is not None and now - held.started >= self._time_limit

    def _wait_time(self) -> float:
        """The seconds until there is something to do, whatever the workers do."""
        now = time.monotonic()
        times = [held.renewal.due_at for held in self.held.values()]
        if self._time_limit is not None:
            times += [held.started + self._time_limit for held in self.held.values()]
        if len(self.held) < self.options.concurrency:
            times.append(self._poll_at)
        if self._outage.ongoing:
            times = [self._poll_at]
        return min(max(min(times, default=now + _MAX_POLL) - now, 0.0), _SHORT_WAIT if self._finished else _MAX_POLL)


def _record(uow: UnitOfWork, finished: FinishedItem) -> None:
    """Record the result of an item, with what the worker writes together with it, or its failure."""
    item, error = finished.item, finished.error
    try:
        if error is None:
            error = _complete(uow, item, finished.value)
        if error is not None:
            failure = error
            _unless_lost(lambda: _fail(uow, item, failure))
    except UnitOfWorkEnded:
        # The connection broke, which a worker's `record` may have hidden. The round is repeated on another one.
        raise Unavailable("the connection was lost") from None


def _complete(uow: UnitOfWork, item: BatchItem, value: Any) -> BaseException | None:
    """Record the result of an item. Return the error if the result or the worker's `record` is invalid."""
    result = value if isinstance(value, BatchResult) else BatchResult(value)
    try:
        with uow.savepoint():
            if uow.batches.complete(item, result.value) and result.record is not None:
                session_id = plain(result.record(uow), "record")
                if session_id is not None:
                    claims.attach(uow._context, item, session_id)
    except (LeaseLost, NotFound) as lost:
        return None if isinstance(lost, LeaseLost) or result.record is None else lost
    except (UnitOfWorkEnded, Busy, Unavailable):
        raise
    except Exception as failure:  # noqa: BLE001 - whatever the worker's `record` raises is the failure of this item
        return failure
    return None


def _fail(uow: UnitOfWork, item: BatchItem, error: BaseException) -> object:
    choice = error if isinstance(error, Retry | GiveUp) else None
    cause = error if choice is None else error.__cause__ or error
    delay = error.delay if isinstance(error, Retry) else None
    # Nothing here may raise, whatever the exception is made of: it would end the run with all of its items.
    return uow.batches.fail(
        item, error_message(error) or error_message(cause), kind=(choice and choice.kind) or error_class(cause),
        retry=not isinstance(error, GiveUp), delay=delay,
    )  # fmt: skip


def _unless_lost(act: Callable[[], object]) -> bool:
    """Do something with an item. Return False if it belongs to another worker by now, or was deleted."""
    try:
        act()
    except (LeaseLost, NotFound):
        return False
    return True
