"""Batches, awaited."""

from __future__ import annotations

from chatledger.services.batches.service import Batches
from chatledger.services.lifted import Lifted, lifted, lifted_iterator


class AsyncBatches(Lifted):
    """`Batches`, awaited."""

    create = lifted(Batches.create)
    add = lifted(Batches.add)
    get = lifted(Batches.get)
    list = lifted(Batches.list)
    claim = lifted(Batches.claim)
    heartbeat = lifted(Batches.heartbeat)
    complete = lifted(Batches.complete)
    fail = lifted(Batches.fail)
    release = lifted(Batches.release)
    pause = lifted(Batches.pause)
    resume = lifted(Batches.resume)
    cancel = lifted(Batches.cancel)
    retry_failed = lifted(Batches.retry_failed)
    progress = lifted(Batches.progress)
    item = lifted(Batches.item)
    items = lifted(Batches.items)
    iterate = lifted_iterator(Batches.iterate)
    delete = lifted(Batches.delete)
