"""Waiting while the database is away, so that finished work need not be done again because of an outage."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from chatledger.errors import AccessDenied, Busy, LedgerClosed, Unavailable
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

# Seconds for which a run waits for a database that is away.
_OUTAGE_LIMIT = 60.0
# Seconds between two attempts of `write` and `read`.
_PAUSE = 0.5


class Outage:
    """How long the database has been away, and whether to go on waiting for it."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def ongoing(self) -> bool:
        """Whether the last transaction failed."""
        return self._since is not None

    def should_wait(self, error: Busy | Unavailable) -> bool:
        """Note that a transaction failed. Return False if waiting does not help, or has lasted for a minute."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return not isinstance(error, LedgerClosed | AccessDenied) and now - self._since <= _OUTAGE_LIMIT

    def end(self) -> None:
        """Note that a transaction succeeded."""
        self._since = None


def write(ledger: Transactions, work: Callable[[UnitOfWork], R]) -> R:
    """Return what `work` returned, waiting for the database if necessary.

    `work` may be called again after it was committed, because a connection can break during the commit.

    Raises:
        Busy, Unavailable: the database was away for a minute.
    """
    return _retry(lambda: ledger.run(work, retry_timeout=0))


def read(ledger: Transactions, work: Callable[[UnitOfWork], R]) -> R:
    """Return what `work` returned in a reading transaction, waiting for the database if necessary.

    Raises:
        Busy, Unavailable: the database was away for a minute.
    """
    return _retry(lambda: read_once(ledger, work))


def read_once(ledger: Transactions, work: Callable[[UnitOfWork], R]) -> R:
    """Return what `work` returned in a reading transaction."""
    with ledger.read() as uow:
        return work(uow)


def _retry(transaction: Callable[[], R]) -> R:
    outage = Outage()
    while True:
        try:
            return transaction()
        except (Busy, Unavailable) as error:
            if not outage.should_wait(error):
                raise
        time.sleep(_PAUSE)
