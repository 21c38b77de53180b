"""Results of comparisons as files: written out, and read."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import AsJson, Database, Overwrite, Owner, Rehearse
from chatledger.cli.comparisons.compare import GroupId, app
from chatledger.cli.errors import FAILED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import amount, write_document, write_line
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Screen, counted
from chatledger.exchange.readers.comparison_results import FORMULAS
from chatledger.schemas import ComparisonResult

_LISTED = 20


@app.command()
def export(
    group_id: GroupId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default, standard output.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of JSON Lines.")] = False,
    overwrite: Overwrite = False,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Write every result, one on each line. `compare import` reads these files."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        results = uow.comparisons.results(group_id)
        if not as_csv and output is None:
            for result in results:
                write_line(result)
            return
        with nullcontext(sys.stdout) if output is None else writing(output, force=overwrite) as out:
            if as_csv:
                _write_csv(out, results)
            else:
                from chatledger.cli.output.json_output import encoded  # noqa: PLC0415 - written to a file only here

                out.writelines(encoded(result, ascii_only=False) + "\n" for result in results)


@app.command("import")
def import_(
    group_id: GroupId,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, callback=existing_file)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace results that differ from those of the file.")
    ] = False,
    dry_run: Rehearse = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Read results from a file: JSON Lines, a JSON list, or CSV with a header.

    The names are prompt_key, variant_a, variant_b, judge, judge_kind, trial, preference, first, scores_a, scores_b
    (JSON), cost_a, cost_b, judge_cost (dollars), duration_a_ms, duration_b_ms, judge_duration_ms, prompt and notes.
    Invalid rows are named, and the others are stored. Reading the same file twice changes nothing.
    """
    from chatledger.exchange.readers.comparison_results import read_results  # noqa: PLC0415 - only needed here

    rows = read_results(file)
    with opened_for(db, user) as ledger:
        done = ledger.run(lambda uow: uow.comparisons.import_results(group_id, rows, replace=replace, dry_run=dry_run))
    if as_json:
        write_document(done)
    else:
        would = "would be " if dry_run else ""
        Screen().line(
            f"{counted(done.rows, 'result')}: {done.stored:,} {would}stored, {done.replaced:,} {would}replaced,"
            f" {done.unchanged:,} unchanged, {counted(len(done.problems), 'problem')}"
        )
    for problem in done.problems[:_LISTED]:
        report(f"{problem.place}: {problem.field}: {problem.reason}")
    if len(done.problems) > _LISTED:
        report(f"and {counted(len(done.problems) - _LISTED, 'more problem')}")
    if done.problems:
        raise typer.Exit(FAILED)


def _write_csv(out: Any, results: Any) -> None:
    writer = csv.writer(out, lineterminator="\n")
    names = list(ComparisonResult.model_fields)
    writer.writerow([*names])
    for result in results:
        fields = result.model_dump()
        for name in ("cost_a", "cost_b", "judge_cost"):
            value = getattr(result, name)
            fields[name] = None if value is None else amount(value)
        writer.writerow([_cell(fields[name]) for name in names])


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet does not run as a formula. `read_results` removes the quotation mark."""
    if isinstance(value, dict):
        from chatledger.cli.output.json_output import encoded  # noqa: PLC0415 - for scores only

        return encoded(value, ascii_only=False)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return value
