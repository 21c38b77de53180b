"""A ledger that is away for a while is waited for: what a step has done is not to be done again for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from chatledger.errors import Busy, LedgerClosed, Unavailable
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

#: How long a runner waits for a database that is away, and how often it asks, in seconds.
_PATIENCE, _PAUSE = 60.0, 0.5


def written(ledger: Transactions, act: Callable[[UnitOfWork], R]) -> R:
    """What a transaction returned. It may be made again after it was committed, and must find out.

    Raises:
        Busy, Unavailable: the database was away for a minute.
    """
    return _insisted(lambda: ledger.run(act))


def read(ledger: Transactions, act: Callable[[UnitOfWork], R]) -> R:
    """What a reading transaction returned.

    Raises:
        Busy, Unavailable: as `written`.
    """

    def once() -> R:
        with ledger.read() as uow:
            return act(uow)

    return _insisted(once)


def _insisted(once: Callable[[], R]) -> R:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return once()
        except LedgerClosed:
            raise
        except (Busy, Unavailable):
            if time.monotonic() >= until:
                raise
        time.sleep(_PAUSE)
