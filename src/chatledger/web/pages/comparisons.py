"""Comparisons: the list of them, and one with its answers side by side."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import HTMLResponse

from chatledger.ledger.user_ledger import UserLedger
from chatledger.report.comparison import template_values
from chatledger.report.comparison_data import read_comparison_data
from chatledger.web.pages.access import FormGuard
from chatledger.web.pages.rendering import ROWS, Word, following, link, page

_PROMPTS = 20
"""Prompts that are shown with their answers, each of which is read by itself."""


class ComparisonPages:
    def __init__(self, ledger: UserLedger, form_guard: FormGuard | None) -> None:
        self._ledger = ledger
        self._form_guard = form_guard

    def list(self, cursor: Word = "") -> HTMLResponse:
        with self._ledger.read() as uow:
            found = uow.comparisons.list(limit=ROWS, cursor=cursor or None)
        return page(
            "comparisons", here="comparisons", title="Comparisons",
            rows=[(one, link("comparison", one.group_id)) for one in found.items],
            more=following("/comparisons", {}, found.next_cursor),
        )  # fmt: skip

    def show(self, request: Request, group_id: str, done: Word = "") -> HTMLResponse:
        with self._ledger.read() as uow:
            data = read_comparison_data(uow, group_id, confidence=0.95, judge=None, prompts=_PROMPTS)
        return page(
            "comparison", here="comparisons", done=done,
            form_token=None if self._form_guard is None else self._form_guard.token(request),
            action=link("comparison", group_id), **template_values(data),
        )  # fmt: skip
