"""What the children of a nursery do to batches: work on one until it is done, or until they are killed."""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from typing import Any

from chatledger import BatchItem, BatchResult, Ledger, Settings, UnitOfWork
from tests.faults.acknowledging import acknowledge


def work_on(side: int, url: str, job_id: str, concurrency: int, lease: float, pause: float) -> dict[str, Any]:
    """Work on a job until nothing is left; each result is a session of its own. A line for each item begun."""

    def worker(item: BatchItem) -> BatchResult:
        acknowledge(side, item.item_number, item.lease)
        time.sleep(random.uniform(0, pause))
        if item.attempts == 1 and item.item_number % 50 == 0:
            raise ValueError("the first attempt always fails")

        def record(uow: UnitOfWork) -> str:
            session = uow.sessions.create(metadata={"item": item.item_number})
            uow.messages.append(session.session_id, "assistant", f"answer {item.payload}")
            return session.session_id

        return BatchResult({"of": item.payload, "by": os.getpid()}, record)

    with closing(Ledger(url, settings=Settings.preset("cli"))) as ledger:
        done = ledger.run_batch(job_id, worker, concurrency=concurrency, lease=lease)
        return {"done": done.done, "failed": done.failed}


def claim_and_hang(side: int, url: str, job_id: str, lease: float) -> None:
    """Claim some items and never come back."""
    with closing(Ledger(url)) as ledger:
        for item in ledger.run(lambda uow: uow.batches.claim(job_id, worker="hung", limit=5, lease=lease)):
            acknowledge(side, item.item_number, item.lease)
        time.sleep(600)
