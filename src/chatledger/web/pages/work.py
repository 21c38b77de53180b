"""Batches and workflows: what is to be done, and how far it is."""

from __future__ import annotations

from fastapi.responses import HTMLResponse

from chatledger.enums import BatchStatus, ExecutionState, ItemStatus
from chatledger.exchange.writers.presentation import pretty_json
from chatledger.ledger.user_ledger import UserLedger
from chatledger.web.pages.rendering import ROWS, Word, chosen_word, following, link, page


class BatchPages:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def list(self, status: Word = "", cursor: Word = "") -> HTMLResponse:
        chosen = {"status": status}
        with self._ledger.read() as uow:
            found = uow.batches.list(status=chosen_word(BatchStatus, status), limit=ROWS, cursor=cursor or None)
            rows = [(job, link("batch", job.job_id)) for job in found.items]
        return page(
            "batches", here="batches", title="Batches", rows=rows, chosen=chosen,
            statuses=[one.value for one in BatchStatus], more=following("/batches", chosen, found.next_cursor),
        )  # fmt: skip

    def show(self, job_id: str, status: Word = "", cursor: Word = "") -> HTMLResponse:
        chosen = {"status": status}
        with self._ledger.read() as uow:
            job = uow.batches.get(job_id)
            progress = uow.batches.progress(job_id)
            found = uow.batches.items(job_id, status=chosen_word(ItemStatus, status), limit=ROWS, cursor=cursor or None)
        here = link("batch", job_id)
        rows = [
            (
                item, None if item.session_id is None else link("session", item.session_id),
                [(name, pretty_json(value)) for name, value in (("payload", item.payload), ("result", item.result))
                 if value is not None],
            )
            for item in found.items
        ]  # fmt: skip
        return page(
            "batch", here="batches", title=job.name or f"Batch {job.job_id}", job=job, progress=progress, rows=rows,
            metadata=pretty_json(job.metadata) if job.metadata else None, path=here, chosen=chosen,
            statuses=[one.value for one in ItemStatus], more=following(here, chosen, found.next_cursor),
        )  # fmt: skip


class WorkflowPages:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def list(self, name: Word = "", state: Word = "", cursor: Word = "") -> HTMLResponse:
        chosen = {"name": name, "state": state}
        with self._ledger.read() as uow:
            found = uow.workflows.executions(
                name=name or None,
                state=chosen_word(ExecutionState, state),
                limit=ROWS,
                cursor=cursor or None,
            )
            names = sorted({one.name for one in uow.workflows.list()})
        return page(
            "workflows", here="workflows", title="Workflows", chosen=chosen, names=names,
            states=[one.value for one in ExecutionState],
            rows=[(one, link("execution", one.execution_id)) for one in found.items],
            more=following("/workflows", chosen, found.next_cursor),
        )  # fmt: skip

    def show(self, execution_id: str) -> HTMLResponse:
        with self._ledger.read() as uow:
            execution = uow.workflows.execution(execution_id)
            steps = uow.workflows.steps(execution_id)
        rows = [
            (
                step, None if step.session_id is None else link("session", step.session_id),
                [(name, pretty_json(value)) for name, value in (("input", step.input), ("output", step.output))
                 if value is not None],
            )
            for step in steps
        ]  # fmt: skip
        return page(
            "execution", here="workflows", title=f"{execution.name}, version {execution.version}", execution=execution,
            rows=rows, input=None if execution.input is None else pretty_json(execution.input),
        )  # fmt: skip
