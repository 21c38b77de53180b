"""The errors of workflows."""

from __future__ import annotations

from datetime import datetime

from chatledger.errors.store import Conflict, NotFound


class WorkflowNotFound(NotFound):
    name: str
    version: int | None

    def __init__(self, name: str, version: int | None = None) -> None:
        which = f"no workflow {name!r}" if version is None else f"no version {version} of workflow {name!r}"
        super().__init__(which, name=name, version=version)


class ExecutionNotFound(NotFound):
    execution_id: str

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"no execution {execution_id!r}", execution_id=execution_id)


class ExecutionBusy(Conflict):
    """`lease_until` is when another runner's lease ends unless it is moved on, as far as that is known."""

    execution_id: str
    lease_until: datetime | None

    def __init__(self, execution_id: str, lease_until: datetime | None = None) -> None:
        super().__init__(
            f"execution {execution_id!r} is in the hands of another runner: "
            "wait for its lease to end, or take it over if you know that it is dead",
            execution_id=execution_id,
            lease_until=lease_until,
        )
