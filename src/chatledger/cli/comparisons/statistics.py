"""The statistics of a comparison, as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database, Overwrite, Owner
from chatledger.cli.comparisons.compare import GroupId, app
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import amount, write_document
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Column, Screen, counted
from chatledger.schemas import ComparisonSummary, Difference, Interval, JudgeSummary, PairSummary


@app.command()
def summary(
    group_id: GroupId,
    judge: Annotated[str | None, typer.Option(metavar="JUDGE", help="Only the results of this judge.")] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="The confidence of the intervals.")] = 0.95,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write a page.")] = None,
    prompts: Annotated[
        int, typer.Option(min=0, metavar="N", help="Prompts that the page shows with all answers. 0: none.")
    ] = 50,
    overwrite: Overwrite = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show who won, how certain that is, and what it cost. Needs the extra `stats`."""
    with opened_for(db, user) as ledger:
        with ledger.read() as uow:
            found = uow.comparisons.summary(group_id, confidence=confidence, judge=judge)
        if html is not None:
            from chatledger.report.comparison import write_comparison  # noqa: PLC0415 - brings the templates

            with writing(html, force=overwrite) as out:
                write_comparison(ledger, group_id, out, confidence=confidence, judge=judge, prompts=prompts)
    if as_json:
        write_document(plain(found))
    else:
        _show(Screen(), found)


@app.command("pass-rates")
def pass_rates(
    group_id: GroupId,
    criterion: Annotated[str, typer.Argument(metavar="CRITERION", show_default=False)],
    threshold: Annotated[float, typer.Option(metavar="SCORE", help="A trial passes with at least this score.")] = 1.0,
    k: Annotated[
        list[int] | None,
        typer.Option("-k", min=1, metavar="K", help="May be repeated. By default, up to the number of trials."),
    ] = None,
    judge: Annotated[str | None, typer.Option(metavar="JUDGE", help="Only the results of this judge.")] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="The confidence of the intervals.")] = 0.95,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show pass@k (at least one of k trials passes) and pass^k (all of them do). Needs the extra `stats`."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        rates = uow.comparisons.pass_rates(
            group_id, criterion, threshold=threshold, k=k, judge=judge, confidence=confidence
        )
    if as_json:
        write_document([plain(rate) for rate in rates])
        return
    columns = ("variant", "k", "prompts", "trials", "pass@k", "from–to", "pass^k", "from–to")
    Screen().table(
        [Column(name, right=at > 0) for at, name in enumerate(columns)],
        [
            [
                rate.variant, str(rate.k), f"{rate.prompts:,}", f"{rate.trials:,}",
                _percent(rate.pass_at_k), _interval(rate.pass_at_k_interval, "{:.1%}"),
                _percent(rate.pass_hat_k), _interval(rate.pass_hat_k_interval, "{:.1%}"),
            ]
            for rate in rates
        ],
    )  # fmt: skip


def plain(value: Any) -> Any:
    """Return a record as dicts and lists."""
    return value.model_dump()


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
    for judge in found.judging:
        for line in _judging(judge):
            screen.line(line)
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
            if gap.ratio is not None:
                screen.line(f"  {name}: {ratio_of(gap)}")
    if pair.position is not None:
        p = "" if pair.position.p_value is None else f", p = {pair.position.p_value:.2g}"
        prompts = counted(pair.position.n, "prompt")
        screen.line(f"  the answer shown first was preferred by {pair.position.preference:.1%}, {prompts}{p}")


def verdict_of(pair: PairSummary) -> str:
    """Return who won, or that nobody did for certain, in a sentence."""
    p = "" if pair.p_value is None else f" ({pair.test} test, p = {pair.p_value:.2g})"
    if pair.significant:
        winner = pair.variant_b if (pair.win_rate or 0.0) > 0.5 else pair.variant_a
        return f"{winner} won: a difference this large is unlikely to be chance{p}"
    needed = "" if pair.needed is None else f"; about {pair.needed:,} prompts are needed for a difference this large"
    return f"no clear winner{p}{needed}"


def difference_of(gap: Difference) -> str:
    """Return a difference with its interval and test."""
    p = "" if gap.p_value is None else f", p = {gap.p_value:.2g}"
    within = "" if gap.interval is None else f" ({_interval(gap.interval, '{:+.4g}')})"
    return f"{gap.mean:+.4g}{within}, {gap.test} of {gap.n}{p}"


def ratio_of(gap: Difference) -> str:
    """Return a ratio with its interval."""
    within = "" if gap.ratio_interval is None else f" ({_interval(gap.ratio_interval, '{:.3g}')})"
    return f"{gap.ratio:.3g} times as much{within}"


def _judging(judge: JudgeSummary) -> Iterator[str]:
    """What the judge itself cost, and whether it agrees with itself."""
    facts = []
    if judge.cost is not None:
        unknown = f" (unknown for {judge.without_cost:,})" if judge.without_cost else ""
        facts.append(f"${amount(judge.cost)}{unknown}")
    if judge.duration is not None:
        facts.append(f"{judge.duration:,.4g} seconds")
    if facts:
        yield f"the judgments of {judge.judge} took {', '.join(facts)}"
    if judge.consistency is not None:
        yield f"{judge.judge} agrees with itself in {judge.consistency:.1%} of {judge.repeated:,} repeated judgments"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(found: Interval | None, form: str) -> str:
    return "" if found is None else f"{form.format(found.low)} to {form.format(found.high)}"
