"""What a run over a batch asks of its driver, which calls workers in threads or tasks, and what the driver sends back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from chatledger.execution.outage import read_once
from chatledger.execution.workers import Finished
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

FinishedItem = Finished[BatchItem]


@dataclass(frozen=True)
class Transact:
    """Call `work` in one transaction, and send back what it returned."""

    work: Callable[[UnitOfWork], Any]
    read_only: bool = False

    def run(self, ledger: Transactions) -> Any:
        # The run waits for a database that is away by itself, and goes on with what it has to do meanwhile.
        return read_once(ledger, self.work) if self.read_only else ledger.run(self.work, retry_timeout=0)


@dataclass(frozen=True)
class StartItem:
    """Call the worker with an item."""

    item: BatchItem


@dataclass(frozen=True)
class AbandonItem:
    """Stop the worker of an item if possible, and ignore what it returns."""

    item: BatchItem


@dataclass(frozen=True)
class Wait:
    """Wait until an item has finished, at most so many seconds. Send back a list of `FinishedItem`."""

    seconds: float


Step = Transact | StartItem | AbandonItem | Wait
Steps = Generator[Step, Any, BatchProgress]
