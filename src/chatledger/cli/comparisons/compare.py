"""Comparisons: begun, filled, summed up, written out."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import Actor, AsJson, Database, Overwrite, Owner, Reason, Yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import amount, write_document, write_line
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Column, Screen, counted, when
from chatledger.enums import ComparisonKind
from chatledger.schemas import ComparisonResult, ComparisonSummary, Difference, Interval, PairSummary

app = typer.Typer(no_args_is_help=True, help="Models, prompts or parameters side by side.")

GroupId = Annotated[str, typer.Argument(metavar="GROUP_ID", show_default=False)]


@app.command()
def new(
    variants: Annotated[
        list[str], typer.Argument(metavar="VARIANT…", show_default=False, help="The first is the base.")
    ],
    group_id: Annotated[str | None, typer.Option("--id", metavar="GROUP_ID", help="Else one is made.")] = None,
    kind: Annotated[ComparisonKind, typer.Option(help="In what they differ.")] = ComparisonKind.MODEL,
    title: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Begin a comparison, and print its id."""
    with opened_for(db, user, new=True) as ledger:
        made = ledger.run(lambda uow: uow.comparisons.create(group_id, kind=kind, variants=variants, title=title))
    if as_json:
        write_document(made)
    else:
        Screen().line(made.group_id)


@app.command()
def add(
    group_id: GroupId,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", show_default=False)],
    session_id: Annotated[str | None, typer.Argument(metavar="SESSION_ID", show_default=False)] = None,
    prompt_key: Annotated[
        str | None, typer.Option("--prompt", metavar="KEY", help="The session is the answer to this prompt.")
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Add a variant, or a session that is there already to one."""
    with opened_for(db, user) as ledger:
        group = ledger.run(lambda uow: uow.comparisons.add(group_id, variant, session_id, prompt_key=prompt_key))
    if as_json:
        write_document(group)
    else:
        Screen().line(", ".join(group.variants))


@app.command("list")
def list_(user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """The newest comparisons."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = list(uow.comparisons.list(limit=1000))
    if as_json:
        write_document({"items": found})
        return
    columns = (
        Column("comparison"),
        Column("kind"),
        Column("begun"),
        Column("variants", flexible=True),
        Column("title"),
    )
    rows = [[g.group_id, g.kind.value, when(g.created_at), ", ".join(g.variants), g.title or ""] for g in found]
    Screen().table(columns, rows)


@app.command()
def delete(
    group_id: GroupId,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Delete a comparison with its results; the sessions stay."""
    if not yes:
        raise typer.BadParameter("the results are deleted for good: add --yes", param_hint="'--yes'")
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.comparisons.delete(group_id, reason=reason), actor=actor)
    Screen().line(f"deleted {group_id}")


@app.command()
def summary(
    group_id: GroupId,
    judge: Annotated[str | None, typer.Option(metavar="JUDGE", help="Only what this judge said.")] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the intervals.")] = 0.95,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="A page with plots, too.")] = None,
    overwrite: Overwrite = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """What the results come to: who won, how sure that is, and what it cost. Needs the extra `stats`."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        group = uow.comparisons.get(group_id)
        found = uow.comparisons.summary(group_id, confidence=confidence, judge=judge)
    if html is not None:
        from chatledger.report.comparison import comparison_page  # noqa: PLC0415 - brings the library for plots

        with writing(html, force=overwrite) as out:
            out.write(comparison_page(group, found))
    if as_json:
        write_document(plain(found))
    else:
        _show(Screen(), found)


@app.command()
def export(
    group_id: GroupId,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV; else JSON Lines.")] = False,
    overwrite: Overwrite = False,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Every result, a line each."""
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


def plain(value: Any) -> Any:
    """A record and what is in it as dicts and lists."""
    return value.model_dump(mode="json")


def _write_csv(out: Any, results: Any) -> None:
    writer = csv.writer(out, lineterminator="\n")
    names = list(ComparisonResult.model_fields)
    writer.writerow([*names])
    for result in results:
        fields = result.model_dump(mode="json")
        for name in ("cost_a", "cost_b"):
            value = getattr(result, name)
            fields[name] = None if value is None else amount(value)
        writer.writerow([_cell(fields[name]) for name in names])


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet takes for what it is, and not for a formula."""
    if isinstance(value, dict):
        from chatledger.cli.output.json_output import encoded  # noqa: PLC0415 - for scores only

        return encoded(value, ascii_only=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\0"):
        return f"'{value}"
    return value


def _show(screen: Screen, found: ComparisonSummary) -> None:
    screen.line(f"{counted(found.results, 'result')} of {', '.join(found.judges) or 'no judge'}")
    rows = [
        [
            v.variant, str(v.wins), str(v.losses), str(v.draws),
            _percent(v.win_rate), _number(v.cost), _number(v.duration),
            "" if v.rating is None else f"{v.rating:.0f}", _interval(v.rating_interval, "{:.0f}"),
            " ".join(f"{name}={score:.3g}" for name, score in v.scores.items()),
        ]
        for v in found.variants
    ]  # fmt: skip
    headers = ("variant", "won", "lost", "drawn", "win rate", "cost $", "seconds", "rating", "rating from–to", "scores")
    screen.table([Column(name, right=0 < at < 8) for at, name in enumerate(headers)], rows)
    for pair in found.pairs:
        _show_pair(screen, pair, found.confidence)
    for a in found.agreements:
        screen.line(f"{a.judge_a} and {a.judge_b} agree on {a.rate:.1%} of {a.n}, {_interval(a.interval, '{:.1%}')}")


def _show_pair(screen: Screen, pair: PairSummary, confidence: float) -> None:
    screen.line("")
    screen.line((f"{pair.variant_b} against {pair.variant_a}", "bold"))
    if pair.win_rate is not None:
        missing = f", {pair.missing} without a verdict" if pair.missing else ""
        screen.line(
            f"  won {pair.wins}, lost {pair.losses}, drawn {pair.draws} of {counted(pair.n_total, 'prompt')}{missing}"
        )
        error = "" if pair.standard_error is None else f" ± {pair.standard_error:.1%}"
        within = f", {confidence:.0%} within {_interval(pair.interval, '{:.1%}')}" if pair.interval else ""
        screen.line(f"  win rate {pair.win_rate:.1%}{error}{within}")
        screen.line(f"  {verdict_of(pair)}")
    for name, gap in (("cost $", pair.cost), ("seconds", pair.duration), *sorted(pair.scores.items())):
        if gap is not None:
            screen.line(f"  {name}: {difference_of(gap)}")
    if pair.position is not None:
        p = "" if pair.position.p_value is None else f", p = {pair.position.p_value:.2g}"
        screen.line(f"  what stood first was preferred by {pair.position.preference:.1%} of {pair.position.n}{p}")


def verdict_of(pair: PairSummary) -> str:
    """Whether the two can be told apart, in a sentence."""
    p = "" if pair.p_value is None else f" ({pair.test} test, p = {pair.p_value:.2g})"
    if pair.told:
        return f"told apart{p}"
    needed = "" if pair.needed is None else f"; about {pair.needed:,} prompts would, if it is what it seems"
    return f"not told apart{p}{needed}"


def difference_of(gap: Difference) -> str:
    """A difference with its interval."""
    p = "" if gap.p_value is None else f", p = {gap.p_value:.2g}"
    within = "" if gap.interval is None else f" ({_interval(gap.interval, '{:+.4g}')})"
    return f"{gap.mean:+.4g}{within}, {gap.test} of {gap.n}{p}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(found: Interval | None, form: str) -> str:
    return "" if found is None else f"{form.format(found.low)} to {form.format(found.high)}"
