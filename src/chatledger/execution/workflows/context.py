"""The context that a step is called with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from chatledger.enums import RoleLike
from chatledger.ids import new_id
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.unit_of_work import UnitOfWork

Effect = Callable[[UnitOfWork], object]
"""Something to be written into the ledger."""


class StepCancelled(Exception):
    """Raised in a step that is no longer wanted."""


class StepContext:
    """One attempt at a step.

    What it writes into the ledger (`append`, `effect`) is written in the transaction that records its success: once, or
    not at all. For what it does elsewhere there is `key`, which is the same in every attempt.
    """

    def __init__(self, execution: WorkflowExecution, step: WorkflowStep, item: Any) -> None:
        self.execution_id = execution.execution_id
        self.user_id = execution.user_id
        self.step = step.step
        self.attempt = step.attempt
        """The number of the attempt, from 1."""
        self.input: dict[str, Any] = deepcopy(step.input or {})
        """The fields of `with`, with references resolved. It is a copy: other steps do not see changes to it."""
        self.item = deepcopy(item)
        """The item of the list, or None in a step without a list."""
        self.index = step.item
        """The index of the item, or -1 in a step without a list."""
        self.session_id = new_id()
        """The session that `append` writes to if it is not given another one."""
        self.wrote_session = False
        self.effects: list[Effect] = []
        self._over = threading.Event()

    @property
    def key(self) -> str:
        """Names this step of this execution. Give it to other systems that must not do something twice."""
        return f"{self.execution_id}/{self.step}/{self.index}"

    @property
    def cancelled(self) -> bool:
        """Whether the step is no longer wanted: cancelled, over its time limit, or its runner stops. Check it often."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, for as long as the step is wanted.

        Raises:
            StepCancelled: the step is no longer wanted.
        """
        if self._over.wait(seconds):
            raise StepCancelled

    def append(self, role: RoleLike, content: str, *, session_id: str | None = None, **fields: Any) -> None:
        """Append a message when the step has succeeded: to `session_id`, or else to a session of the step's own."""
        if session_id is None and not self.wrote_session:
            self.wrote_session = True
            title = f"{self.step}" if self.index < 0 else f"{self.step} {self.index}"
            self.effects.append(lambda uow: uow.sessions.create(self.session_id, user_id=self.user_id, title=title))
        target = session_id or self.session_id
        self.effects.append(lambda uow: uow.messages.append(target, role, content, **fields))

    def effect(self, write: Effect) -> None:
        """Call `write` when the step has succeeded. It may be called again when the database was busy."""
        self.effects.append(write)

    def give_up(self) -> None:
        """Tell the step that it is no longer wanted."""
        self._over.set()
