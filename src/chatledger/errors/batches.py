"""What can go wrong with batches. They hang in the tree of `chatledger.errors`."""

from __future__ import annotations

from chatledger.errors.store import Conflict, NotFound


class BatchNotFound(NotFound):
    job_id: str

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no batch {job_id!r}", job_id=job_id)


class BatchItemNotFound(NotFound):
    job_id: str
    key: str | int

    def __init__(self, job_id: str, key: str | int) -> None:
        super().__init__(f"no item {key!r} in batch {job_id!r}", job_id=job_id, key=key)


class BatchExists(Conflict):
    job_id: str

    def __init__(self, job_id: str) -> None:
        super().__init__(f"batch {job_id!r} exists already: add items to it, or choose another id", job_id=job_id)


class LeaseLost(Conflict):
    """The worker came too late, and what it brings is not recorded."""

    job_id: str
    item_number: int

    def __init__(self, job_id: str, item_number: int) -> None:
        super().__init__(
            f"the lease of item {item_number} of batch {job_id!r} is lost: the item was given back, or to somebody else",
            job_id=job_id,
            item_number=item_number,
        )
