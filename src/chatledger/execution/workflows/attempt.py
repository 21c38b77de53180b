"""How an attempt at a step ends: with its effects, or with an error."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from chatledger.enums import StepState
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.execution.workflows.context import StepContext
from chatledger.execution.workflows.retry import written
from chatledger.schemas.execution import WorkflowStep
from chatledger.schemas.workflow import StepDefinition
from chatledger.services.error_text import error_class, error_message
from chatledger.services.workflows import statements as workflow_statements
from chatledger.services.workflows.statements import Hold
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

#: The longest pause between two attempts, in seconds.
_LONGEST = 3600.0
#: Characters of an error that are kept.
_ERROR = 500


class GivenUp(Exception):
    """The attempt was given up before it ended: nothing of it is kept."""


def keep(ledger: Transactions, hold: Hold, row: WorkflowStep, context: StepContext, output: Any) -> None:
    """The step's success and what it writes, in one transaction.

    Raises:
        GivenUp: the attempt was given up meanwhile.
    """
    session_id = context.session_id if context.wrote_session else None

    def write(uow: UnitOfWork) -> None:
        done = {"output": output, "session_id": session_id, "error": None}
        if not workflow_statements.finish(uow._context, hold, row, StepState.SUCCEEDED, **done):
            raise GivenUp
        for effect in context.effects:
            effect(uow)

    written(ledger, write)


def note_failure(
    ledger: Transactions, hold: Hold, about: StepDefinition, row: WorkflowStep, error: BaseException, now: datetime
) -> None:
    """The step's failure: for good, or to be tried again after a pause.

    The retries are told by the attempts that failed and not by a library: they must outlive this process. Those before
    somebody asked for the step anew do not count.
    """
    since = takewhile(lambda one: not one.get("retried"), reversed(row.history))
    failed = sum(1 for one in since if one.get("state") == "failed")
    if failed < about.retries and not isinstance(error, InvalidInput):
        pause = min(_LONGEST, about.backoff * 2**failed) * (0.5 + random.random() / 2)
        at = now + timedelta(seconds=pause)
        written(ledger, lambda uow: workflow_statements.try_again(uow._context, hold, row, said(error), at))
    else:
        written(
            ledger, lambda uow: workflow_statements.finish(uow._context, hold, row, StepState.FAILED, error=said(error))
        )


def said(error: BaseException) -> str:
    """An error as it is kept: the ledger's own without its class, another with it."""
    text = error_message(error)
    if isinstance(error, ChatledgerError):
        return text[:_ERROR]
    return (error_class(error) + (f": {text}" if text else ""))[:_ERROR]
