"""Recording how an attempt at a step ends: with its effects, or with an error."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from chatledger.enums import StepState
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.execution.outage import write
from chatledger.execution.workflows.context import StepContext
from chatledger.schemas.execution import WorkflowStep
from chatledger.schemas.workflow import StepDefinition
from chatledger.services.backoff import backoff_delay
from chatledger.services.error_text import error_class, error_message
from chatledger.services.workflows import statements as workflow_statements
from chatledger.services.workflows.statements import ExecutionLease
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

# The longest delay between two attempts, in seconds.
_MAX_DELAY = 3600.0
# The most characters of an error that are stored.
_MAX_ERROR = 500


class AttemptAbandoned(Exception):
    """The attempt was abandoned before it ended: nothing of it is kept."""


def record_success(
    ledger: Transactions, lease: ExecutionLease, row: WorkflowStep, context: StepContext, output: Any
) -> None:
    """Record the success of a step, and write its effects, in one transaction.

    Raises:
        AttemptAbandoned: the attempt was abandoned meanwhile.
    """
    session_id = context.session_id if context.wrote_session else None

    def work(uow: UnitOfWork) -> None:
        values = {"output": output, "session_id": session_id, "error": None}
        if not workflow_statements.finish(uow._context, lease, row, StepState.SUCCEEDED, **values):
            raise AttemptAbandoned
        for effect in context.effects:
            effect(uow)

    write(ledger, work)


def record_failure(
    ledger: Transactions,
    lease: ExecutionLease,
    definition: StepDefinition,
    row: WorkflowStep,
    error: BaseException,
    now: datetime,
) -> None:
    """Record the failure of an attempt: for good, or with the time of the next attempt.

    The failed attempts are counted in the step's history, because retries must outlive this process. Those before a
    retry by hand do not count.
    """
    text = error_text(error)
    since = takewhile(lambda one: not one.get("retried"), reversed(row.history))
    failures = sum(1 for one in since if one.get("state") == "failed")
    if failures < definition.retries and not isinstance(error, InvalidInput):
        delay = backoff_delay(definition.backoff, failures, _MAX_DELAY, jitter=0.5)
        at = now + timedelta(seconds=delay)
        write(ledger, lambda uow: workflow_statements.schedule_retry(uow._context, lease, row, text, at))
    else:
        write(ledger, lambda uow: workflow_statements.finish(uow._context, lease, row, StepState.FAILED, error=text))


def error_text(error: BaseException) -> str:
    """Return an error as it is stored: its message, after its class unless it is one of the ledger's own errors."""
    text = error_message(error)
    if isinstance(error, ChatledgerError):
        return text[:_MAX_ERROR]
    return (error_class(error) + (f": {text}" if text else ""))[:_MAX_ERROR]
