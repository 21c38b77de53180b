"""Workflows: definitions of steps that depend on one another, and their executions."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update

from chatledger.dialects.types import Identifier, Timestamp
from chatledger.enums import ExecutionState, ExecutionStateLike, StepState
from chatledger.errors import Conflict, ExecutionBusy, InvalidInput, WorkflowNotFound
from chatledger.ids import new_id
from chatledger.models import tables
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep, WorkflowVersion
from chatledger.schemas.fields import called, identifier, whole
from chatledger.schemas.page import Page
from chatledger.schemas.workflow import WorkflowDefinition, definition_of, given_input
from chatledger.services import audit
from chatledger.services.base import Service
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.workflows import statements as workflow_statements
from chatledger.services.workflows.statements import WHOLE, executions, steps

workflows = tables.workflows


class Workflows(Service):
    """Definitions of steps that depend on one another, and their executions. A `Runner` executes them."""

    __slots__ = ()

    def define(
        self, definition: WorkflowDefinition | Mapping[str, Any], *, user_id: str | None = None
    ) -> WorkflowVersion:
        """Check a definition and store it as the next version under its name. An unchanged definition returns the
        stored version.

        Names belong to a user; on a ledger that is limited to a user, to that one.

        Raises:
            InvalidInput: an unknown name, step or input, a cycle, or an invalid reference; the error names it.
            Conflict: another writer stored a version at the same moment; try again.
        """
        checked = definition_of(definition)
        owner = self._owner(user_id) or ""
        newest = self._version(owner, checked.name, None)
        document = checked.document()
        if newest is not None and newest.definition.document() == document:
            return newest
        version = 1 if newest is None else newest.version + 1
        row = {
            "user_id": owner, "name": checked.name, "version": version,
            "definition": document, "created_at": self._context.now(),
        }  # fmt: skip
        statement = self._context.dialect.insert(workflows).values(row).on_conflict_do_nothing()
        if self._context.change(statement) == 0:  # somebody was quicker, perhaps with the same
            newest = self._version(owner, checked.name, version)
            if newest is None or newest.definition.document() != document:
                raise Conflict(f"workflow {checked.name!r} got another version {version} at the same moment: try again")
        return self.get(checked.name, version, user_id=user_id)

    def get(self, name: str, version: int | None = None, *, user_id: str | None = None) -> WorkflowVersion:
        """Return a version of a workflow, by default the newest: the user's or, on an unlimited ledger, the one without
        an owner.

        Raises:
            WorkflowNotFound: no such workflow, or it belongs to another user.
        """
        identifier(name, "name")
        if version is not None:
            whole(version, "version")
        owner = self._owner(user_id)
        places = [owner or ""] if self._context.owner is not None else [*([owner] if owner else []), ""]
        for place in places:
            found = self._version(place, name, version)
            if found is not None:
                return found
        raise WorkflowNotFound(name, version)

    def list(self, *, user_id: str | None = None) -> list[WorkflowVersion]:
        """Return the newest version of each workflow, by name, of one user or of all."""
        newest = select(workflows.c.user_id, workflows.c.name, func.max(workflows.c.version)).group_by(
            workflows.c.user_id, workflows.c.name
        )
        key = tuple_(workflows.c.user_id, workflows.c.name, workflows.c.version)
        statement = select(*workflows.c).where(key.in_(newest)).order_by(workflows.c.name, workflows.c.user_id)
        owner = self._owner(user_id)
        if owner is not None:
            statement = statement.where(workflows.c.user_id == owner)
        return [_to_version(row) for row in self._context.execute(statement)]

    def start(
        self,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        user_id: str | None = None,
        execution_id: str | None = None,
    ) -> WorkflowExecution:
        """Create an execution, which keeps the version that it starts with. A runner then executes it.

        Raises:
            WorkflowNotFound: no such workflow, or it belongs to another user.
            InvalidInput: an input is missing or unknown.
            Conflict: the id is taken.
        """
        found = self.get(name, version, user_id=user_id)
        chosen = new_id() if execution_id is None else called(execution_id, "execution_id")
        taken = select(executions.c.execution_id).where(executions.c.execution_id == chosen)
        if self._context.execute(taken).first() is not None:
            raise Conflict(f"execution {chosen!r} exists already")
        row = {
            "execution_id": chosen, "user_id": self._owner(user_id), "name": found.name, "version": found.version,
            "definition": found.definition.document(), "input": given_input(found.definition, input),
            "state": ExecutionState.PENDING, "created_at": self._context.now(),
        }  # fmt: skip
        self._context.execute(insert(executions), row)
        self._context.execute(
            insert(steps), [workflow_statements.pending(chosen, step, WHOLE) for step in found.definition.steps]
        )
        return self.execution(chosen)

    def execution(self, execution_id: str) -> WorkflowExecution:
        """Return an execution.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
        """
        return workflow_statements.find(self._context, identifier(execution_id, "execution_id"))

    def executions(
        self,
        *,
        name: str | None = None,
        state: ExecutionStateLike | None = None,
        user_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[WorkflowExecution]:
        """Return executions, newest first, at most 1,000 a page.

        Raises:
            InvalidInput: an unknown state, or a cursor of another list.
        """
        limit = limited(limit)
        statement = select(*executions.c)
        if name is not None:
            statement = statement.where(executions.c.name == identifier(name, "name"))
        if state is not None:
            if state not in list(ExecutionState):
                raise InvalidInput("state", f"is not one of {', '.join(ExecutionState)}")
            statement = statement.where(executions.c.state == ExecutionState(state))
        owner = self._owner(user_id)
        if owner is not None:
            statement = statement.where(executions.c.user_id == owner)
        if cursor is not None:
            at, last = decode_moment_cursor("executions", cursor, str)
            place = tuple_(bindparam("at", at, type_=Timestamp()), bindparam("last", last, type_=Identifier()))
            statement = statement.where(tuple_(executions.c.created_at, executions.c.execution_id) < place)
        statement = statement.order_by(executions.c.created_at.desc(), executions.c.execution_id.desc())
        rows = self._context.execute(statement.limit(limit + 1)).all()
        items = tuple(WorkflowExecution.model_validate(dict(row._mapping)) for row in rows[:limit])
        more = len(rows) > limit
        return Page[WorkflowExecution](
            items=items,
            next_cursor=encode_cursor("executions", items[-1].created_at.isoformat(), items[-1].execution_id)
            if more
            else None,
        )

    def steps(self, execution_id: str) -> builtins.list[WorkflowStep]:
        """Return the steps of an execution, and the items of its `for_each` steps, ordered by name and item.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
        """
        self.execution(execution_id)
        return workflow_statements.steps_of(self._context, execution_id)

    def output(self, execution_id: str, step: str) -> Any:
        """Return the output of a step; for a `for_each` step, the outputs of its items. None if it has not succeeded.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
            InvalidInput: the execution has no such step.
        """
        found = [one for one in self.steps(execution_id) if one.step == step]
        if not found:
            raise InvalidInput("step", f"execution {execution_id!r} has no step {step!r}")
        if found[0].state is not StepState.SUCCEEDED:
            return None
        return found[0].output if found[0].items is None else [one.output for one in found[1:]]

    def cancel(self, execution_id: str) -> WorkflowExecution:
        """Cancel an execution: at once if no runner executes it, otherwise its runner stops at its next look at the
        database.

        Cancelling an execution that has ended changes nothing.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
        """
        execution = workflow_statements.find(self._context, identifier(execution_id, "execution_id"), lock=True)
        if execution.state in workflow_statements.ENDED:
            return execution
        now = self._context.now()
        values: dict[str, Any] = {"cancel_requested_at": now}
        if not workflow_statements.is_held(execution, now):
            # The fence rises, so that a runner that was only slow learns of it.
            values |= {"state": ExecutionState.CANCELLED, "finished_at": now, "lease_until": None,
                       "fence": execution.fence + 1}  # fmt: skip
            workflow_statements.cancel_steps(self._context, execution_id)
        self._context.execute(update(executions).where(executions.c.execution_id == execution_id).values(values))
        return self.execution(execution_id)

    def retry(self, execution_id: str, step: str | None = None) -> WorkflowExecution:
        """Prepare an execution to be resumed: reset what failed or was cancelled, or one step and all that depends on
        it.

        Items of a `for_each` step that succeeded stay done unless the step is named. Earlier attempts are kept in the
        history, and what they wrote into sessions stays. Call a runner's `resume` to execute it.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
            ExecutionBusy: a runner is executing it.
            InvalidInput: the execution has no such step.
        """
        execution = workflow_statements.find(self._context, identifier(execution_id, "execution_id"), lock=True)
        if workflow_statements.is_held(execution, self._context.now()):
            raise ExecutionBusy(execution_id, execution.lease_until)
        if step is not None and step not in execution.definition.steps:
            raise InvalidInput("step", f"execution {execution_id!r} has no step {step!r}")
        again = set() if step is None else _following(execution.definition, step)
        for one in workflow_statements.steps_of(self._context, execution_id):
            if one.step in again:
                workflow_statements.reset(self._context, one, items=None)
            elif step is None and one.state in (StepState.FAILED, StepState.CANCELLED):
                workflow_statements.reset(self._context, one)
        values = {"state": ExecutionState.PENDING, "error": None, "cancel_requested_at": None, "finished_at": None,
                  "lease_until": None, "fence": execution.fence + 1}  # fmt: skip
        self._context.execute(update(executions).where(executions.c.execution_id == execution_id).values(values))
        return self.execution(execution_id)

    def delete(self, execution_id: str) -> None:
        """Delete an execution with its steps. The sessions that they wrote stay.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
            ExecutionBusy: a runner is executing it.
        """
        execution = workflow_statements.find(self._context, identifier(execution_id, "execution_id"), lock=True)
        if workflow_statements.is_held(execution, self._context.now()):
            raise ExecutionBusy(execution_id, execution.lease_until)
        self._context.execute(delete(steps).where(steps.c.execution_id == execution_id))
        self._context.execute(delete(executions).where(executions.c.execution_id == execution_id))
        audit.record(self._context, "execution.deleted", details={"execution_id": execution_id})

    def _owner(self, user_id: str | None) -> str | None:
        owner = self._context.owner
        if user_id is not None:
            called(user_id, "user_id")
            if owner is not None and user_id != owner:
                raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        return owner if owner is not None else user_id

    def _version(self, owner: str, name: str, version: int | None) -> WorkflowVersion | None:
        statement = select(*workflows.c).where(workflows.c.user_id == owner, workflows.c.name == name)
        if version is not None:
            statement = statement.where(workflows.c.version == version)
        row = self._context.execute(statement.order_by(workflows.c.version.desc()).limit(1)).one_or_none()
        return None if row is None else _to_version(row)


def _to_version(row: Any) -> WorkflowVersion:
    return WorkflowVersion.model_validate({**row._mapping, "user_id": row.user_id or None})


def _following(definition: WorkflowDefinition, step: str) -> set[str]:
    """A step and all that waits for it, directly or not."""
    graph, found = definition.graph(), {step}
    while more := {name for name, needed in graph.items() if needed & found} - found:
        found |= more
    return found
