"""The course of a run over a batch, without threads or an event loop: what to do next, told to whoever does it.

Each turn is one transaction: what has ended is recorded, leases are renewed, items are taken. So a quick worker costs one
commit a turn and not two an item, and a turn that could not be committed is made again as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chatledger.enums import BatchStatus
from chatledger.errors import Busy, LedgerClosed, Unavailable
from chatledger.execution.batches.settling import settle, unless_lost
from chatledger.execution.batches.steps import Begin, Course, Drop, Ended, How, Step, Transact, Wait
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.services.batches import progress as batch_progress
from chatledger.unit_of_work import UnitOfWork

#: What an attempt failed with that took longer than the job allows.
TIME_LIMIT = "TimeLimit"
#: Seconds between two looks at an empty queue: at first, and at most.
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
#: Seconds between two reports of the progress, and how much of the time counting may take.
_REPORT, _SHARE = 1.0, 20
#: How long a database may be away before the run gives up, in seconds.
_PATIENCE = 60.0


@dataclass
class _Held:
    item: BatchItem
    began: float
    beat: float


@dataclass(frozen=True)
class _Turn:
    taken: Sequence[BatchItem]
    lost: Sequence[int]


@dataclass(frozen=True)
class _Outlook:
    status: BatchStatus
    now: datetime
    waiting: bool
    coming: datetime | None
    time_limit: timedelta | None

    @property
    def claimable(self) -> bool:
        due = self.coming is not None and self.coming <= self.now
        return self.status is BatchStatus.OPEN and (self.waiting or due)

    @property
    def over(self) -> bool:
        return self.status is BatchStatus.CANCELLED or not (self.waiting or self.coming)

    def pause(self, longest: float) -> float:
        if self.coming is None or self.status is not BatchStatus.OPEN:
            return longest
        return min(longest, max((self.coming - self.now).total_seconds(), 0.001))


@dataclass
class Run:
    """One run: its course, and what it holds."""

    how: How
    held: dict[int, _Held] = field(default_factory=dict)
    _ended: list[Ended] = field(default_factory=list)
    _time_limit: float | None = None
    _look_at: float = 0.0
    _pause: float = _FIRST_LOOK
    _report_at: float = 0.0
    _trouble_since: float | None = None
    _over: bool = False
    _capped: bool = False

    def course(self) -> Course:
        """Until nothing is left to do, or it is told to stop."""
        while not self._over and not self.how.stopping():
            now = time.monotonic()
            free = self.how.concurrency - len(self.held)
            if free > 0 and now >= self._look_at and (yield from self._look()):
                yield from self._turn(free)
            elif self._ended or self._due(now):
                yield from self._turn(0)
            yield from self._report()
            if not self._over:
                self._ended += yield Wait(self._seconds())
        deadline = time.monotonic() + self.how.grace
        while (self.held or self._ended) and time.monotonic() < deadline:
            if self._ended or self._due(time.monotonic()):
                yield from self._turn(0)
            if self.held or self._ended:
                self._ended += yield Wait(min(self._seconds(), 0.2))
        if self.held:
            yield from self._insisting(Transact(self.give_back_all))
            for held in self.held.values():
                yield Drop(held.item)
            self.held.clear()
        last: BatchProgress = yield from self._insisting(
            Transact(lambda uow: uow.batches.progress(self.how.job_id), reading=True)
        )
        if self.how.progress is not None:
            self.how.progress(last)
        return last

    def give_back_all(self, uow: UnitOfWork) -> bool:
        """`give_back`; True, for that it was done."""
        self.give_back(uow)
        return True

    def give_back(self, uow: UnitOfWork) -> None:
        """Record what has ended, and put back what was not finished."""
        ended = self._through(self._ended)
        for one in self._ended:
            settle(uow, one)
        for number, held in self.held.items():
            if number not in ended:
                unless_lost(lambda held=held: uow.batches.release(held.item))  # type: ignore[misc]

    def _look(self) -> Generator[Step, Any, bool]:
        """Whether there may be something to take. Asked for nothing after a turn that took all that it could."""
        if self._pause == 0.0:
            return True
        look = yield from self._trying(Transact(self._outlook, reading=True))
        if look is None:
            return False
        self._time_limit = None if look.time_limit is None else look.time_limit.total_seconds()
        if look.claimable:
            return True
        if look.over and not self.held and not self._ended:
            self._over = True
            return False
        self._put_off(look.pause(self._pause))
        return False

    def _turn(self, free: int) -> Generator[Step, Any, None]:
        now = time.monotonic()
        ended, self._ended = self._ended, []
        gone = self._through(ended)
        open_ = [held for number, held in self.held.items() if number not in gone]
        late = [held.item for held in open_ if self._is_late(held, now)]
        beats = [held.item for held in open_ if held.beat <= now and held.item not in late]
        free += len(gone) + len(late) if free else 0
        act = self._act(ended, late, beats, free)
        done = yield from self._trying(Transact(act))
        if done is None:  # it is made again, with what has ended since
            self._ended = ended + self._ended
            return
        for number in gone:
            self.held.pop(number, None)
        for number in [item.item_number for item in late] + list(done.lost):
            held = self.held.pop(number, None)
            if held is not None:
                yield Drop(held.item)
        later = time.monotonic() + self.how.lease.total_seconds() / 3
        for item in beats:
            if item.item_number in self.held:
                self.held[item.item_number].beat = later
        for item in done.taken:
            self.held[item.item_number] = _Held(item, time.monotonic(), later)
            yield Begin(item)
        if free and len(done.taken) == free:
            self._pause, self._look_at = 0.0, 0.0
        elif free and (done.taken or self._pause == 0.0):
            self._pause = _FIRST_LOOK
            self._put_off(0.0)
        elif free:  # something waits and could not be had: as many as are allowed are at work, or others were quicker
            self._capped = True
            self._put_off(self._pause)
        elif gone and self._capped:
            self._capped, self._look_at = False, 0.0

    def _through(self, ended: Sequence[Ended]) -> set[int]:
        """Those of the held items that have ended. A late thread's may be held anew, under another lease."""
        found = set()
        for one in ended:
            held = self.held.get(one.item.item_number)
            if held is not None and held.item.lease == one.item.lease:
                found.add(one.item.item_number)
        return found

    def _act(
        self, ended: Sequence[Ended], late: Sequence[BatchItem], beats: Sequence[BatchItem], free: int
    ) -> Callable[[UnitOfWork], _Turn]:
        how = self.how

        def act(uow: UnitOfWork) -> _Turn:
            for one in ended:
                settle(uow, one)
            for item in late:
                text = f"took longer than {self._time_limit:g} seconds"
                unless_lost(lambda item=item, text=text: uow.batches.fail(item, text, kind=TIME_LIMIT))  # type: ignore[misc]
            lost = [
                item.item_number
                for item in beats
                if not unless_lost(lambda item=item: uow.batches.heartbeat(item, lease=how.lease))  # type: ignore[misc]
            ]
            taken: Sequence[BatchItem] = ()
            if free:
                taken = uow.batches.claim(how.job_id, worker=how.worker, limit=min(free, 1000), lease=how.lease)
            return _Turn(taken, lost)

        return act

    def _outlook(self, uow: UnitOfWork) -> _Outlook:
        job = uow.batches.get(self.how.job_id)
        context = uow._context
        return _Outlook(
            job.status,
            context.now(),
            batch_progress.any_waiting(context, job.job_id),
            batch_progress.coming(context, job.job_id),
            job.time_limit,
        )

    def _report(self) -> Generator[Step, Any, None]:
        began = time.monotonic()
        if self.how.progress is None or began < self._report_at:
            return
        found = yield from self._trying(Transact(lambda uow: uow.batches.progress(self.how.job_id), reading=True))
        if found is not None:
            self.how.progress(found)
        now = time.monotonic()
        self._report_at = now + max(_REPORT, _SHARE * (now - began))

    def _trying(self, step: Transact) -> Generator[Step, Any, Any]:
        """What the transaction returned; None where the database is away, for which a run has patience."""
        try:
            result = yield step
        except (Busy, Unavailable) as error:
            now = time.monotonic()
            self._trouble_since = self._trouble_since or now
            if isinstance(error, LedgerClosed) or now - self._trouble_since > _PATIENCE:
                raise
            self._pause = _LAST_LOOK
            self._put_off(_LAST_LOOK)
            return None
        self._trouble_since = None
        return result

    def _insisting(self, step: Transact) -> Generator[Step, Any, Any]:
        """What the transaction returned, in the end."""
        while (result := (yield from self._trying(step))) is None:
            self._ended += yield Wait(0.2)
        return result

    def _put_off(self, seconds: float) -> None:
        self._look_at = time.monotonic() + seconds
        self._pause = min(max(self._pause, _FIRST_LOOK) * 2, _LAST_LOOK)

    def _due(self, now: float) -> bool:
        return any(held.beat <= now or self._is_late(held, now) for held in self.held.values())

    def _is_late(self, held: _Held, now: float) -> bool:
        return self._time_limit is not None and now - held.began >= self._time_limit

    def _seconds(self) -> float:
        """Until something is to be done, whatever the workers do."""
        now = time.monotonic()
        moments = [held.beat for held in self.held.values()]
        if self._time_limit is not None:
            moments += [held.began + self._time_limit for held in self.held.values()]
        if len(self.held) < self.how.concurrency:
            moments.append(self._look_at)
        if self._trouble_since is not None:
            moments = [self._look_at]
        return min(max(min(moments, default=now + _LAST_LOOK) - now, 0.0), 0.2 if self._ended else _LAST_LOOK)
