"""Workflows: defined from files, executed, looked at, cancelled, retried."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import AsJson, Database, Owner, json_value
from chatledger.cli.errors import FAILED, INTERRUPTED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.progress_bar import bar
from chatledger.cli.output.screen import Column, Screen, when
from chatledger.cli.responders.responder import responder_of
from chatledger.cli.signals import until_stopped
from chatledger.cli.workflows.progress import StepsShown
from chatledger.enums import ExecutionState
from chatledger.errors import InvalidInput, NotFound
from chatledger.execution.workflows.actions import Responder
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.transactions import Transactions
from chatledger.workflows import Runner, drawn, mermaid, read_definition

app = typer.Typer(no_args_is_help=True, help="Workflows: define, execute and resume steps that depend on each other.")

_ExecutionId = Annotated[str, typer.Argument(metavar="EXECUTION_ID", show_default=False)]
_Function = Annotated[
    str | None, typer.Option("--responder", metavar="MODULE:FUNCTION", help="Answers prompts.", show_default=False)
]
_Command = Annotated[
    str | None, typer.Option("--exec", metavar="COMMAND", help="Answers prompts, fed with the conversation as JSON.")
]
_Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=1000, metavar="N", help="Steps at once.")]
_Lease = Annotated[
    float,
    typer.Option(
        min=1, max=86400, metavar="SECONDS", help="If this runner dies, another may take over after this time."
    ),
]


@app.command()
def define(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", show_default=False, help="JSON, or YAML (.yaml, .yml).", callback=existing_file),
    ],
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Check a definition and store it as the next version of its name."""
    definition = read_definition(file)
    with opened_for(db, user, new=True) as ledger:
        stored = ledger.run(lambda uow: uow.workflows.define(definition))
    if as_json:
        write_document({"name": stored.name, "version": stored.version, "definition": definition.document()})
    else:
        Screen().line(f"{stored.name} version {stored.version}")


@app.command("list")
def list_(
    executions: Annotated[
        bool, typer.Option("--executions", help="List executions instead of workflows, newest first.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, metavar="N", help="At most N rows.")] = 50,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the newest version of each workflow, or the executions."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        if executions:
            _show_executions(list(uow.workflows.executions(limit=limit)), as_json=as_json)
            return
        found = uow.workflows.list()[:limit]
    if as_json:
        write_document({"items": [one.model_dump(exclude={"definition"}) for one in found]})
    elif found:
        columns = [Column("Name", flexible=True), Column("Version", right=True), Column("Steps", right=True)]
        rows = [[one.name, str(one.version), str(len(one.definition.steps))] for one in found]
        Screen().table(columns, rows)
    else:
        Screen.errors().line("no workflows")


@app.command()
def run(
    name: Annotated[str, typer.Argument(show_default=False)],
    given: Annotated[str | None, typer.Option("--input", metavar="JSON", help="An object of inputs.")] = None,
    version: Annotated[int | None, typer.Option(min=1, metavar="N", help="This version instead of the newest.")] = None,
    execution_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The execution's id.")] = None,
    function: _Function = None,
    command: _Command = None,
    concurrency: _Concurrency = 8,
    lease: _Lease = 60,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Execute a workflow, and wait for it. Exit code 1 if it failed.

    Ctrl-C and SIGTERM give running steps ten seconds, leave the rest and end with 130 or 0; `resume` goes on.
    """
    inputs = json_value(given, "--input")
    if not isinstance(inputs, dict | None):
        raise typer.BadParameter("is not an object", param_hint="'--input'")
    responder = _responder(function, command)
    with opened_for(db, user) as ledger:
        begun = ledger.run(lambda uow: uow.workflows.start(name, inputs, version=version, execution_id=execution_id))
        if execution_id is None:
            report(f"execution {begun.execution_id}")
        _execute(ledger, begun.execution_id, responder, concurrency, lease, as_json=as_json, take_over=False)


@app.command()
def resume(
    execution_id: _ExecutionId,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Do not wait for the lease of a runner that is known to be dead.")
    ] = False,
    function: _Function = None,
    command: _Command = None,
    concurrency: _Concurrency = 8,
    lease: _Lease = 60,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Continue an execution. Steps that have succeeded are not run again."""
    with opened_for(db, user) as ledger:
        responder = _responder(function, command)
        _execute(ledger, execution_id, responder, concurrency, lease, as_json=as_json, take_over=take_over)


@app.command()
def status(execution_id: _ExecutionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Show the state of an execution and its steps."""
    with opened_for(db, user) as ledger:
        _show(ledger, execution_id, as_json=as_json)


@app.command()
def cancel(execution_id: _ExecutionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Cancel an execution: at once, or as soon as its runner notices."""
    with opened_for(db, user) as ledger:
        found = ledger.run(lambda uow: uow.workflows.cancel(execution_id))
    if as_json:
        write_document(_facts(found))
    else:
        Screen().line(str(found.state) if found.state is not ExecutionState.RUNNING else "running, to be cancelled")


@app.command()
def retry(
    execution_id: _ExecutionId,
    step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Reset this step and all steps that depend on it.")
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Reset failed steps. `resume` then runs them again."""
    with opened_for(db, user) as ledger:
        found = ledger.run(lambda uow: uow.workflows.retry(execution_id, step))
    if as_json:
        write_document(_facts(found))
    else:
        Screen().line(str(found.state))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="A workflow, or an execution's id.")],
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="As Mermaid's flowchart.")] = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Draw the graph, of an execution with the states of its steps (+ succeeded, ! failed, - skipped, > running)."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        steps: list[WorkflowStep] = []
        try:
            definition = uow.workflows.execution(name).definition
            steps = uow.workflows.steps(name)
        except NotFound:
            definition = uow.workflows.get(name).definition
    if as_json:
        write_document(definition.document())
    else:
        Screen().text(mermaid(definition, steps) if as_mermaid else drawn(definition, steps))


def _responder(function: str | None, command: str | None) -> Responder | None:
    if function is None and command is None:
        return None
    answer = responder_of(function, command, None)
    return lambda conversation: answer(conversation, lambda _: None)


def _execute(
    ledger: Transactions,
    execution_id: str,
    responder: Responder | None,
    concurrency: int,
    lease: float,
    *,
    as_json: bool,
    take_over: bool,
) -> None:
    stop: list[bool] = []
    with ledger.read() as uow:
        steps = uow.workflows.steps(execution_id)
    with until_stopped(lambda: stop.append(True)) as signals, bar() as on_progress:
        runner = Runner(
            ledger, responder=responder, max_parallel=concurrency, lease=lease, stopping=lambda: bool(stop),
            progress=None if on_progress is None else StepsShown(on_progress, steps),
        )  # fmt: skip
        try:
            ended = runner.resume(execution_id, take_over=take_over)
        except InvalidInput as error:
            report(f"{error}; execution {execution_id} is kept")
            raise typer.Exit(FAILED) from None
    if signals and ended.state is ExecutionState.PENDING:
        report(f"interrupted; `chatledger workflow resume {execution_id}` goes on")
        raise typer.Exit(INTERRUPTED if signal.SIGINT in signals else 0)
    _show(ledger, execution_id, as_json=as_json)
    if ended.state is not ExecutionState.SUCCEEDED:
        raise typer.Exit(FAILED)


def _show(ledger: Transactions, execution_id: str, *, as_json: bool) -> None:
    with ledger.read() as uow:
        execution, steps = uow.workflows.execution(execution_id), uow.workflows.steps(execution_id)
    if as_json:
        write_document({**_facts(execution), "steps": [step.model_dump() for step in steps]})
        return
    screen = Screen()
    screen.line(f"{execution.name} version {execution.version}: {execution.state}")
    columns = [Column("Step"), Column("State"), Column("Attempts", right=True, rank=1), Column("Session", rank=2),
               Column("Output or error", rank=3, flexible=True)]  # fmt: skip
    rows = []
    for step in steps:
        name = step.step if step.item < 0 else f"{step.step} {step.item}"
        said = step.error or ("" if step.output is None else encoded(step.output, ascii_only=False))
        rows.append([name, str(step.state), str(step.attempt), step.session_id or "", said])
    screen.table(columns, rows)


def _facts(execution: WorkflowExecution) -> dict[str, object]:
    return execution.model_dump(exclude={"definition"})


def _show_executions(found: list[WorkflowExecution], *, as_json: bool) -> None:
    if as_json:
        write_document({"items": [_facts(one) for one in found]})
    elif found:
        columns = [Column("Execution"), Column("Workflow", flexible=True), Column("State"), Column("Begun", rank=1)]
        Screen().table(columns, [[one.execution_id, one.name, str(one.state), when(one.created_at)] for one in found])
    else:
        Screen.errors().line("no executions")
