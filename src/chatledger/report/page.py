"""The page of a report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, TextIO, Unpack

from chatledger.html.environment import render
from chatledger.html.plots import Plot
from chatledger.report import charts
from chatledger.report.data import ReportData, read_report_data
from chatledger.services.statistics.filters import PeriodFilterArguments
from chatledger.transactions import Transactions


def write_report(
    ledger: Transactions,
    out: TextIO,
    *,
    title: str = "Conversations",
    tz: str | tzinfo = "UTC",
    period: str | None = None,
    **filters: Unpack[PeriodFilterArguments],
) -> None:
    """Write a page about usage, cost and latency, from one snapshot of the ledger.

    The filters are those of `uow.statistics` (`since`, `until`, `project_id`, `model_id`, `user_id`, `session_id`,
    `role`, `include_copies`). With both `since` and `until`, the period is compared with the one before it. `tz` is the
    time zone of days and hours. `period` is day, week or month; by default it follows from the length of the report.

    The page is one file. It runs no scripts, loads nothing from the network, and escapes every text. It contains titles
    of sessions and names of users, projects and models, but no messages.

    Raises:
        MissingExtra: matplotlib is not installed.
        InvalidInput: an unknown period or time zone, or an invalid filter.
        SessionNotFound: the session does not exist.
    """
    with ledger.read() as uow:
        report = read_report_data(uow, filters, tz, period)
    out.write(render("report.html.jinja", title=title, plots=dict(plots(report)), **template_values(report)))


def template_values(report: ReportData) -> dict[str, Any]:
    """What the template takes beside the title and the plots."""
    filters = [(name.removesuffix("_id"), value) for name, value in report.filters.items() if value and _is_name(name)]
    return {"report": report, "filters": filters, "time_span": _time_span(report)}


def plots(report: ReportData) -> Iterator[tuple[str, Plot]]:
    """The plots of a report, by their names in the template.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    if report.overview.cost:
        costs = [[float(cost) for cost in series.costs] for series in report.series]
        yield (
            "cost",
            charts.stacked_bars("cost", "Cost over time, by model, in dollars", report.starts, costs, "dollars"),
        )
    if report.overview.total_tokens:
        tokens = [[float(count) for count in series.tokens] for series in report.series]
        yield "tokens", charts.stacked_bars("tokens", "Tokens over time, by model", report.starts, tokens, "tokens")
    if report.latency.messages:
        yield "latency", charts.latency(report)
    if report.overview.messages:
        yield "activity", charts.activity(report)


def _is_name(filter_: str) -> bool:
    return filter_ not in ("since", "until", "include_copies")


def _time_span(report: ReportData) -> str:
    since, until = report.filters.get("since"), report.filters.get("until")
    limits = [f"{word} {_timestamp(at)}" for word, at in (("from", since), ("to", until)) if at is not None]
    if limits:
        return " ".join(limits)
    return f"{report.starts[0]:%Y-%m-%d} to {report.starts[-1]:%Y-%m-%d}" if report.starts else "no messages"


def _timestamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"
