"""What becomes of an item that a worker is through with: all in the transaction of the turn."""

from __future__ import annotations

from collections.abc import Callable

from chatledger.callbacks import plain
from chatledger.errors import Busy, LeaseLost, NotFound, Unavailable, UnitOfWorkEnded
from chatledger.execution.batches.outcomes import BatchResult, GiveUp, Retry
from chatledger.execution.batches.steps import Ended
from chatledger.schemas import BatchItem
from chatledger.services.batches import claims
from chatledger.services.batches.arguments import class_of, said
from chatledger.unit_of_work import UnitOfWork

#: The connection broke under what a worker records, which may have hidden it: the turn is made again, on another one.
_LOST = "the connection was lost"


def settle(uow: UnitOfWork, ended: Ended) -> None:
    """Record what became of an item, and what a worker wants recorded with it."""
    item, error = ended.item, ended.error
    if error is None:
        result = ended.value if isinstance(ended.value, BatchResult) else BatchResult(ended.value)
        try:
            with uow.savepoint():
                if uow.batches.complete(item, result.value) and result.record is not None:
                    session_id = plain(result.record(uow), "record")
                    if session_id is not None:
                        claims.attach(uow._context, item, session_id)
            return
        except (LeaseLost, NotFound) as lost:
            if isinstance(lost, LeaseLost) or result.record is None:
                return
            error = lost
        except UnitOfWorkEnded:
            raise Unavailable(_LOST) from None
        except (Busy, Unavailable):
            raise
        except Exception as failed:  # noqa: BLE001 - whatever the worker's own record raises is this item's failure
            error = failed
    try:
        unless_lost(lambda: _fail(uow, item, error))
    except UnitOfWorkEnded:
        raise Unavailable(_LOST) from None


def _fail(uow: UnitOfWork, item: BatchItem, error: BaseException) -> object:
    chosen = error if isinstance(error, Retry | GiveUp) else None
    cause = error if chosen is None else error.__cause__ or error
    delay = error.delay if isinstance(error, Retry) else None
    # Nothing here may raise, whatever exceptions are made of: the run would end with it, and all of its items.
    return uow.batches.fail(
        item, said(error) or said(cause), kind=(chosen and chosen.kind) or class_of(cause),
        retry=not isinstance(error, GiveUp), delay=delay,
    )  # fmt: skip


def unless_lost(act: Callable[[], object]) -> bool:
    """Do something with an item that may be somebody else's by now, or gone; whether it was ours."""
    try:
        act()
    except (LeaseLost, NotFound):
        return False
    return True
