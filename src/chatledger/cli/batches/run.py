"""`chatledger batch run`: a responder answers the items of a job."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import duration
from chatledger.cli.arguments.options import AsJson, Database, Owner
from chatledger.cli.batches.progress import said, show_progress
from chatledger.cli.errors import FAILED, INTERRUPTED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.progress_bar import bar
from chatledger.cli.output.screen import Screen
from chatledger.cli.responders.answers import Responder, ResponderFailed
from chatledger.cli.responders.responder import responder_of
from chatledger.cli.signals import until_stopped
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.execution.batches.outcomes import BatchResult, Retry
from chatledger.schemas import BatchItem, BatchJob, BatchProgress, Message, NewMessage
from chatledger.schemas.message import new_message
from chatledger.unit_of_work import UnitOfWork


def run(
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", show_default=False)],
    function: Annotated[
        str | None,
        typer.Option(
            "--responder", metavar="MODULE:FUNCTION", help="Called with the list of messages.", show_default=False
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Run without a shell, fed with the conversation as JSON."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Stop a command after this time.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, max=1000, metavar="N", help="Items at once, in this process.")
    ] = 4,
    lease: Annotated[
        timedelta,
        typer.Option(
            metavar="LENGTH", parser=duration, help="If a worker dies, its items are given to others after this time."
        ),
    ] = "1m",  # type: ignore[assignment]  # parsed, as if it were typed
    record: Annotated[bool, typer.Option("--record", help="Record each item and its answer as a session.")] = False,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Recorded with the answers.")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Answer the items of a job until none is left. Several of these commands may run at once, on several machines.

    A payload that is text is the question; one with `prompt` (and perhaps `system`) or `messages` is taken apart; any
    other is asked as JSON. The responder is that of `query`. A failure is tried again as the job says.

    Ctrl-C and SIGTERM let the items at work end for up to ten seconds, give the rest back and end with 130 or 0.
    Items that failed for good make the exit code 1.
    """
    responder = responder_of(function, command, timeout)
    stop_requests: list[bool] = []
    stream = sys.stdout
    with opened_for(db, user) as ledger:
        with ledger.read() as uow:
            job = uow.batches.get(job_id)

        def worker(item: BatchItem) -> BatchResult:
            return _answered(job, item, responder, model, record=record)

        with until_stopped(lambda: stop_requests.append(True)) as signals, bar() as on_progress:
            done = ledger.run_batch(
                job_id,
                worker,
                concurrency=concurrency,
                lease=lease,
                stopping=lambda: bool(stop_requests),
                progress=None if on_progress is None else _reporting(on_progress),
            )
        sys.stdout = stream  # responders in threads may have left it elsewhere
    if as_json:
        write_document(done)
    else:
        show_progress(Screen(), done)
    if signal.SIGINT in signals:
        raise typer.Exit(INTERRUPTED)
    if done.failed:
        report(f"{done.failed:,} failed for good: see `chatledger batch results {job_id} --status failed`")
        raise typer.Exit(FAILED)


def _reporting(on_progress: Callable[[str, int, int | None], object]) -> Callable[[BatchProgress], object]:
    return lambda now: on_progress(said(now), now.done + now.failed, now.total)


def _answered(job: BatchJob, item: BatchItem, responder: Responder, model: str | None, *, record: bool) -> BatchResult:
    asked = _asked(item.payload)
    conversation = [
        Message(
            **turn.model_dump(exclude={"created_at", "metadata"}),
            session_id=job.job_id, sequence_number=number, metadata=turn.metadata or {}, created_at=item.created_at,
        )
        for number, turn in enumerate(asked, 1)
    ]  # fmt: skip
    began = time.perf_counter()
    try:
        answer = responder(conversation, lambda _: None)
    except ResponderFailed as failure:
        raise Retry(str(failure), kind=failure.kind) from None
    changes: dict[str, Any] = {}
    if answer.duration_ms is None:
        changes["duration_ms"] = round((time.perf_counter() - began) * 1000)
    if answer.model_id is None and model is not None:
        changes["model_id"] = model
    answer = answer.model_copy(update=changes)

    def keep(uow: UnitOfWork) -> str:
        session = uow.sessions.create(
            user_id=job.user_id, model_id=model, title=item.key, metadata={"batch": job.job_id, "item": item.key}
        )
        uow.messages.append_many(session.session_id, [*asked, answer])
        return session.session_id

    return BatchResult(_plain(answer), keep if record else None)


def _asked(payload: Any) -> Sequence[NewMessage]:
    """The conversation that an item asks to be answered."""
    if isinstance(payload, dict) and isinstance(payload.get("messages"), list) and payload["messages"]:
        return [new_message(turn if isinstance(turn, dict) else {"role": None}) for turn in payload["messages"]]
    turns: list[dict[str, Any]] = []
    if isinstance(payload, dict) and isinstance(payload.get("prompt"), str):
        if isinstance(payload.get("system"), str):
            turns.append({"role": Role.SYSTEM, "content": payload["system"]})
        text = payload["prompt"]
    else:
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    if not text:
        raise InvalidInput("payload", "holds no question")
    return [new_message(turn) for turn in [*turns, {"role": Role.USER, "content": text}]]


def _plain(answer: NewMessage) -> dict[str, Any]:
    """What is kept of an answer: its text, and whatever else it says."""
    return answer.model_dump(mode="json", exclude={"role"}, exclude_none=True)
