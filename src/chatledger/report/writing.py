"""The page of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import TextIO, Unpack

from chatledger.pages.elements import (
    Card,
    Heading,
    Markup,
    cards,
    document,
    escape,
    folded,
    legend,
    note,
    section,
    table,
)
from chatledger.pages.numbers import dollars, milliseconds, share, whole
from chatledger.report import plots
from chatledger.report.gathering import Report, gather
from chatledger.schemas.statistics import Latency, Usage, UsageOf
from chatledger.services.statistics.filters import PeriodFilterArguments
from chatledger.transactions import Transactions

_USAGE = tuple(
    Heading(name) for name in ("sessions", "messages", "tokens in", "tokens out", "cost", "an answer", "errors")
)


def write_report(
    ledger: Transactions,
    out: TextIO,
    *,
    title: str = "Conversations",
    tz: str | tzinfo = "UTC",
    period: str | None = None,
    **filters: Unpack[PeriodFilterArguments],
) -> None:
    """Write a page about what was said, by whom, for how much and how fast, from one snapshot of the ledger.

    Which messages it is about is said as to `uow.statistics` (`since`, `until`, `project_id`, `model_id`, `user_id`,
    `session_id`, `role`, `include_copies`); with both times the period is held against the one before. `tz` names the
    zone of days and hours. `period` is day, week or month, by default what suits the length. The page is one file: no
    scripts, nothing from the network; every text is escaped. It holds titles, names of users, projects and models, and
    no messages.

    Raises:
        MissingExtra: matplotlib is not installed.
        InvalidInput: an unknown period or zone, or a filter that is none.
        SessionNotFound: a session that is not there.
    """
    with ledger.read() as uow:
        report = gather(uow, filters, tz, period)
    out.write(document(title, _parts(report, title)))


def _parts(report: Report, title: str) -> Iterator[Markup]:
    yield Markup(f'<h1 dir="auto">{escape(title)}</h1>')
    yield note(_about(report))
    yield cards(_cards(report))
    if report.copies:
        yield note(
            f"Each message counts once: {whole(report.copies)} copies of messages in forks, restored sessions and"
            " imported branches are left out."
        )
    yield from _unpriced(report)
    if not report.overview.messages:
        yield section("Nothing yet", note("No message matches."))
        return
    yield from _over_time(report)
    models = ([_named(one, "no model"), *_usage(one), *_slow(slow)] for one, slow in report.models)
    yield section("Models", table([Heading("model", number=False), *_USAGE, Heading("p50"), Heading("p95")], models))
    if report.latency.messages:
        yield section(
            "How long answers took",
            legend(["p50", "p90", "p99"]),
            plots.percentiles(report),
            note(
                f"Of {whole(report.latency.messages)} messages that say how long they took. Percentiles are by nearest"
                " rank: p90 is the shortest time that 90 % of them did not exceed."
            ),
        )
    yield section("When", plots.hours(report), note(f"Messages by hour of the week ({report.zone}); darker is more."))
    yield section("Busiest sessions", _busiest(report))
    for name, rows in (("Projects", report.projects), ("Users", report.users)):
        if any(one.key is not None for one in rows):
            yield section(name, _ranking(name, rows))
    if report.fullest:
        texts = [Heading("session", number=False), Heading("model", number=False)]
        fullest = (
            [one.title or one.session_id, one.model_id, whole(one.tokens), whole(one.context_window), share(one.share)]
            for one in report.fullest
        )
        yield section(
            "Context windows", table([*texts, Heading("tokens"), Heading("window"), Heading("full")], fullest)
        )


def _over_time(report: Report) -> Iterator[Markup]:
    names = [one.name for one in report.series]
    if report.overview.cost:
        costs = [[float(value) for value in one.costs] for one in report.series]
        yield section(
            f"Cost by {report.period} and model",
            legend(names),
            plots.layers("cost", "Dollars over time, by model", report.starts, costs),
            _figures(report, [[dollars(value) for value in one.costs] for one in report.series]),
        )
    if report.overview.total_tokens:
        tokens = [[float(value) for value in one.tokens] for one in report.series]
        yield section(
            f"Tokens by {report.period} and model",
            legend(names),
            plots.layers("tokens", "Tokens over time, by model", report.starts, tokens),
            _figures(report, [[whole(value) for value in one.tokens] for one in report.series]),
        )


def _figures(report: Report, columns: Sequence[Sequence[str]]) -> Markup:
    """The numbers of a plot, for those who want them or cannot see it."""
    headings = [Heading(report.period, number=False), *(Heading(one.name) for one in report.series)]
    rows = ([f"{start:%Y-%m-%d}", *values] for start, *values in zip(report.starts, *columns, strict=True))
    return folded("The numbers", table(headings, rows))


def _busiest(report: Report) -> Markup:
    rows = []
    for one, session in report.busiest:
        title = session.title if session is not None and session.title else one.key or ""
        model = session.model_id if session is not None else None
        rows.append([title, model or "", whole(one.messages), whole(one.total_tokens), _cost(one)])
    headings = [Heading("session", number=False), Heading("model", number=False)]
    return table([*headings, Heading("messages"), Heading("tokens"), Heading("cost")], rows)


def _ranking(name: str, rows: Sequence[UsageOf]) -> Markup:
    singular = name.removesuffix("s").lower()
    shown = table(
        [Heading(singular, number=False), *_USAGE], ([_named(one, "none"), *_usage(one)] for one in rows[:50])
    )
    if len(rows) <= 50:
        return shown
    return Markup(shown + note(f"The first 50 of {len(rows):,}."))


def _usage(one: Usage) -> list[str]:
    return [
        whole(one.sessions), whole(one.messages), whole(one.input_tokens), whole(one.output_tokens), _cost(one),
        dollars(one.average_cost), share(one.error_rate),
    ]  # fmt: skip


def _cost(one: Usage) -> str:
    """What is known of the cost: at least so much, where answers have none."""
    if not one.cost_known:
        return "unknown"
    return f"≥ {dollars(one.cost)}" if one.priced and one.unpriced else dollars(one.cost)


def _unpriced(report: Report) -> Iterator[Markup]:
    models = [one.key for one, _ in report.models if one.key is not None and not one.cost_known]
    if models:
        others = f" and {len(models) - 1} more" if len(models) > 1 else ""
        yield note(
            f"No price is known for {models[0]}{others}: set one with chatledger model price, then run chatledger model"
            " reprice."
        )


def _slow(one: Latency | None) -> list[str]:
    return ["–", "–"] if one is None else [milliseconds(one.p50_ms), milliseconds(one.p95_ms)]


def _named(one: UsageOf, nothing: str) -> str:
    return nothing if one.key is None else one.key


def _about(report: Report) -> str:
    chosen = [
        f"{name.removesuffix('_id')} {value}" for name, value in report.filters.items() if value and _is_name(name)
    ]
    since, until = report.filters.get("since"), report.filters.get("until")
    span = [f"{word} {_moment(at)}" for word, at in (("from", since), ("to", until)) if at is not None]
    if not span and report.starts:
        span = [f"{report.starts[0]:%Y-%m-%d} to {report.starts[-1]:%Y-%m-%d}"]
    return " · ".join([*chosen, " ".join(span) or "no messages", f"time zone {report.zone}"])


def _is_name(filter_: str) -> bool:
    return filter_ not in ("since", "until", "include_copies")


def _moment(at: object) -> str:
    assert isinstance(at, datetime)
    return f"{at:%Y-%m-%d %H:%M %Z}"


def _cards(report: Report) -> Iterator[Card]:
    usage, latency = report.overview, report.latency

    def change(figure: str) -> str:
        found = report.comparison.change(figure) if report.comparison is not None else None
        return "" if found is None else f"{found:+.0%} against the period before"

    yield Card("sessions", whole(usage.sessions), change("sessions"))
    yield Card("messages", whole(usage.messages), change("messages"))
    yield Card("tokens", whole(usage.total_tokens), change("total_tokens"))
    yield Card("cost", _cost(usage), change("cost"))
    if usage.unpriced:
        yield Card("without a cost", whole(usage.unpriced))
    yield Card("median answer", milliseconds(latency.p50_ms))
    yield Card("95th percentile", milliseconds(latency.p95_ms))
    yield Card("failed", share(usage.error_rate))
    yield Card("cut off", share(usage.interruption_rate))
