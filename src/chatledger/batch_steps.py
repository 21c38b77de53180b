"""What a run over a batch asks of whoever does it, and what workers say."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.services.batches.arguments import said
from chatledger.unit_of_work import UnitOfWork

#: The longest wait for an attempt.
_LONGEST = timedelta(days=365)


class Retry(Exception):
    """A worker raises it to have an item tried again later, where attempts are left; `delay` is how much later.

    `kind` is what errors are counted by: by default the exception that this one was raised from. A delay below none is
    none, and one of more than a year is a year.

    Raises:
        InvalidInput: a delay or kind that is none.
    """

    def __init__(self, reason: str = "", *, delay: timedelta | float | None = None, kind: str | None = None) -> None:
        super().__init__(reason)
        self.delay = _waited(delay)
        self.kind = _counted_by(kind)


class GiveUp(Exception):
    """A worker raises it to have an item fail for good, whatever attempts are left. `kind` as in `Retry`."""

    def __init__(self, reason: str = "", *, kind: str | None = None) -> None:
        super().__init__(reason)
        self.kind = _counted_by(kind)


def _waited(delay: Any) -> timedelta | None:
    if delay is None or isinstance(delay, timedelta):
        return None if delay is None else min(max(delay, timedelta(0)), _LONGEST)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or delay != delay:
        raise InvalidInput("delay", "must be a timedelta or a number of seconds")
    return timedelta(seconds=min(max(delay, 0), _LONGEST.total_seconds()))


def _counted_by(kind: Any) -> str | None:
    if kind is not None and not isinstance(kind, str):
        raise InvalidInput("kind", "must be text")
    return None if kind is None else said(kind)[:MAX_IDENTIFIER] or None


@dataclass(frozen=True)
class Ended:
    """An item that a worker is through with."""

    item: BatchItem
    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True)
class Transact:
    """Do this in one transaction, and send back what it returned."""

    act: Callable[[UnitOfWork], Any]
    reading: bool = False


@dataclass(frozen=True)
class Begin:
    """Let a worker begin with an item."""

    item: BatchItem


@dataclass(frozen=True)
class Drop:
    """Let a worker stop: what it brings is not wanted any more."""

    item: BatchItem


@dataclass(frozen=True)
class Wait:
    """Wait for so many seconds at most; send back what has ended."""

    seconds: float


Step = Transact | Begin | Drop | Wait
Course = Generator[Step, Any, BatchProgress]


@dataclass(frozen=True)
class How:
    """What a run was asked for."""

    job_id: str
    worker: str
    concurrency: int
    lease: timedelta
    grace: float
    stopping: Callable[[], bool]
    progress: Callable[[BatchProgress], object] | None
