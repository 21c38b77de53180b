"""The options of a run over a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chatledger.callbacks import callback, is_generator
from chatledger.errors import InvalidInput
from chatledger.execution.workers import process_name
from chatledger.ids import new_id
from chatledger.schemas import BatchProgress
from chatledger.schemas.fields import called, identifier, whole
from chatledger.services.batches.arguments import duration

_MAX_CONCURRENCY = 1000
_MIN_LEASE, _MAX_LENGTH = timedelta(seconds=0.05), timedelta(days=30)


@dataclass(frozen=True)
class RunOptions:
    """The options of a run, validated."""

    job_id: str
    worker: str
    """The name of the run, which is stored with the items that it claims."""
    concurrency: int
    lease: timedelta
    grace: float
    """In seconds."""
    stopping: Callable[[], bool]
    on_progress: Callable[[BatchProgress], object] | None


def run_options(
    worker: Callable[..., Any],
    stopping: Callable[[], bool],
    *,
    job_id: str,
    concurrency: int,
    lease: timedelta | float,
    name: str | None,
    grace: float,
    progress: Callable[[BatchProgress], object] | None,
) -> RunOptions:
    """Validate the arguments of `run_batch`. Without a `name`, the run is named after the machine and the process.

    Raises:
        InvalidInput: an argument is not valid.
    """
    if not callable(worker):
        raise InvalidInput("worker", "must be a function that takes an item")
    if is_generator(worker):
        raise InvalidInput("worker", "is a generator function, which does not run when it is called: return the result")
    return RunOptions(
        job_id=identifier(job_id, "job_id"),
        worker=called(name, "name") if name is not None else f"{process_name()}:{new_id()[-6:]}",
        concurrency=whole(concurrency, "concurrency", 1, _MAX_CONCURRENCY),
        lease=duration(lease, "lease", _MIN_LEASE, _MAX_LENGTH),
        grace=duration(grace, "grace", timedelta(0), _MAX_LENGTH).total_seconds(),
        stopping=stopping,
        on_progress=callback(progress, "progress"),
    )
