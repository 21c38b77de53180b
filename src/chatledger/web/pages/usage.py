"""Costs, tokens and activity."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from fastapi.responses import HTMLResponse

from chatledger.errors import InvalidInput, MissingExtra
from chatledger.html.plots import Plot
from chatledger.ledger.user_ledger import UserLedger
from chatledger.report.data import ReportData, read_report_data
from chatledger.report.page import plots, template_values
from chatledger.services.statistics.filters import PeriodFilterArguments
from chatledger.web.pages.rendering import Word, page

_DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "": "all time"}


class UsagePage:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def show(self, days: Word = "30") -> HTMLResponse:
        if days not in _DAYS:
            raise InvalidInput("days", f"is not one of {', '.join(_DAYS)}")
        filters: PeriodFilterArguments = {}
        if days:
            today = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(tzinfo=UTC))
            filters["since"] = today - timedelta(days=int(days))
        with self._ledger.read() as uow:
            data = read_report_data(uow, filters, "UTC", None)
        return page(
            "usage", here="usage", title="Usage", plots=_plots(data), days=days, choices=_DAYS, **template_values(data)
        )


def _plots(data: ReportData) -> dict[str, Plot]:
    """The plots of the report, if matplotlib is there."""
    try:
        return dict(plots(data))
    except MissingExtra:
        return {}
