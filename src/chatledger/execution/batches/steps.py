"""What a run over a batch asks of whoever does it, and what it is sent back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chatledger.schemas import BatchItem, BatchProgress
from chatledger.unit_of_work import UnitOfWork


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
