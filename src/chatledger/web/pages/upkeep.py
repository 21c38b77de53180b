"""What happened to sessions, and what will: the audit log and timeouts."""

from __future__ import annotations

from fastapi.responses import HTMLResponse

from chatledger.ledger.user_ledger import UserLedger
from chatledger.web.pages.rendering import ROWS, Word, following, link, page

_SOON = 7 * 86_400
"""Seconds of the time to come in which a limit is shown."""


class AuditPage:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def show(self, session: Word = "", action: Word = "", actor: Word = "", cursor: Word = "") -> HTMLResponse:
        chosen = {"session": session, "action": action, "actor": actor}
        with self._ledger.read() as uow:
            found = uow.audit.list(
                session_id=session or None, action=action or None, actor=actor or None, limit=ROWS,
                cursor=cursor or None,
            )  # fmt: skip
        rows = [(one, None if one.session_id is None else link("session", one.session_id)) for one in found.items]
        return page(
            "audit", here="audit", title="Audit log", rows=rows, chosen=chosen, is_more=bool(cursor),
            more=following("/audit", chosen, found.next_cursor),
        )  # fmt: skip


class TimeoutsPage:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def show(self) -> HTMLResponse:
        with self._ledger.read() as uow:
            due = uow.timeouts.due(within=_SOON, limit=ROWS)
            defaults = uow.timeouts.defaults()
        return page(
            "timeouts", here="timeouts", title="Timeouts", defaults=defaults,
            rows=[(one, link("session", one.session_id)) for one in due], is_all=len(due) < ROWS,
        )  # fmt: skip
