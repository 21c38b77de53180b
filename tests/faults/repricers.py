"""What a child of a nursery does to costs: counts them again, in small batches, to be killed in one of them."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime

from chatledger import Ledger
from chatledger.services.registry import repricing
from tests.faults.acknowledging import acknowledge

BATCH = 20
"""Messages of one transaction."""


def reprice_slowly(side: int, url: str) -> None:
    """Count every cost again. The audit row, last of a transaction, asks for the time: a kill falls before the commit."""
    repricing.BATCH = BATCH

    def late() -> datetime:
        time.sleep(0.01)
        return datetime.now(UTC)

    with closing(Ledger(url, clock=late)) as ledger:
        ledger.reprice(progress=lambda report: acknowledge(side, report.changed))
