"""What a step is given, and what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from chatledger.enums import Role
from chatledger.ids import new_id
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.unit_of_work import UnitOfWork

#: Something to be written into the ledger.
Effect = Callable[[UnitOfWork], object]


class StepCancelled(Exception):
    """Raised by a step that has heard that it is no longer wanted."""


class StepContext:
    """One attempt at a step.

    What it leaves in the ledger (`append`, `effect`) is written in the transaction that notes its success: once, or not
    at all. For what it does elsewhere there is `key`, the same in every attempt.
    """

    def __init__(self, execution: WorkflowExecution, step: WorkflowStep, item: Any) -> None:
        self.execution_id = execution.execution_id
        self.user_id = execution.user_id
        self.step = step.step
        #: From 1.
        self.attempt = step.attempt
        #: What stands under `with`, with its references looked up. A copy: other steps do not see what is done to it.
        self.input: dict[str, Any] = deepcopy(step.input or {})
        #: The item of the list, and its place; None and -1 in a step without one.
        self.item = deepcopy(item)
        self.index = step.item
        #: The session that `append` writes, where none is named.
        self.session_id = new_id()
        self.wrote_session = False
        self.effects: list[Effect] = []
        self._over = threading.Event()

    @property
    def key(self) -> str:
        """Names this step of this execution, for what must not be done twice elsewhere."""
        return f"{self.execution_id}/{self.step}/{self.index}"

    @property
    def cancelled(self) -> bool:
        """Whether the step is no longer wanted: cancelled, out of time, or its runner stops. Ask now and then."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not when the step is no longer wanted.

        Raises:
            StepCancelled: it is not.
        """
        if self._over.wait(seconds):
            raise StepCancelled

    def append(self, role: Role | str, content: str, *, session_id: str | None = None, **fields: Any) -> None:
        """Have a message appended when the step has succeeded: to a session that is named, else to the step's own."""
        if session_id is None and not self.wrote_session:
            self.wrote_session = True
            title = f"{self.step}" if self.index < 0 else f"{self.step} {self.index}"
            self.effects.append(lambda uow: uow.sessions.create(self.session_id, user_id=self.user_id, title=title))
        place = session_id or self.session_id
        self.effects.append(lambda uow: uow.messages.append(place, role, content, **fields))

    def effect(self, write: Effect) -> None:
        """Have something written when the step has succeeded. It may be called again when the database was busy."""
        self.effects.append(write)

    def give_up(self) -> None:
        """The attempt is no longer wanted."""
        self._over.set()
