"""Steps of workflows whose execution is not there, and executions that lack the rows of their steps."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, func, select

from chatledger.services.base import ServiceContext
from chatledger.services.workflows.statements import WHOLE, executions, steps


def executionless(context: ServiceContext) -> Iterator[tuple[str, int]]:
    """Steps of executions that are gone: execution, rows."""
    there = exists(select(1).where(executions.c.execution_id == steps.c.execution_id))
    statement = select(steps.c.execution_id, func.count().label("number")).where(~there)
    for row in context.execute(statement.group_by(steps.c.execution_id).order_by(steps.c.execution_id)):
        yield row.execution_id, row.number


def stepless(context: ServiceContext) -> Iterator[str]:
    """Executions without any step, which a runner could not go on with."""
    there = exists(select(1).where(steps.c.execution_id == executions.c.execution_id, steps.c.item == WHOLE))
    yield from context.execute(
        select(executions.c.execution_id).where(~there).order_by(executions.c.execution_id)
    ).scalars()
