"""Sessions out of a ledger, as a stream of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import TextIO

from chatledger.callbacks import callback
from chatledger.enums import Status
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import ExportFormat
from chatledger.exchange.report import ExportReport
from chatledger.exchange.selection import Choice
from chatledger.exchange.writers.html import Html
from chatledger.exchange.writers.json import JsonDocument, JsonLines
from chatledger.exchange.writers.markdown import Markdown
from chatledger.exchange.writers.writer import Layout
from chatledger.schemas import Session
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

_LAYOUTS: dict[ExportFormat, Callable[[TextIO], Layout]] = {
    ExportFormat.JSON: JsonDocument,
    ExportFormat.JSONL: JsonLines,
    ExportFormat.MARKDOWN: Markdown,
    ExportFormat.HTML: Html,
}
#: Messages between two calls of `progress`.
_STEP = 1000


def export_sessions(
    ledger: Transactions,
    out: TextIO,
    *,
    format: ExportFormat | str,
    session_ids: Iterable[str] | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    status: Status | str | Iterable[Status | str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write sessions with all their messages, in bounded memory, from one snapshot of the ledger.

    `session_ids` names them, in that order and expired ones too; else they are those that the filters leave, expired
    ones included unless `status` says otherwise, newest activity first. The snapshot is held until all is written: a
    slow `out` keeps the database from tidying up meanwhile.

    Raises:
        SessionNotFound: an id is of no session, or of another user's. Nothing was written.
        InvalidInput: ids and filters together, or a filter that is none.
    """
    progress = callback(progress, "progress")
    try:
        layout = _LAYOUTS[ExportFormat(format)](out)
    except ValueError:
        raise InvalidInput("format", f"is not one of {', '.join(ExportFormat)}") from None
    choice = Choice(session_ids, user_id, project_id, status, since, until)
    with ledger.read() as uow:
        return _write(uow, layout, choice.sessions(uow), progress)


def _write(
    uow: UnitOfWork, layout: Layout, chosen: Iterator[Session], progress: Callable[[ExportReport], None] | None
) -> ExportReport:
    ahead = list(islice(chosen, 2))
    layout.begin(ahead[0] if len(ahead) == 1 else None)
    sessions = messages = 0
    for session in chain(ahead, chosen):
        layout.open(session)
        for message in uow.messages.iterate(session.session_id):
            layout.message(message)
            messages += 1
            if progress is not None and messages % _STEP == 0:
                progress(ExportReport(sessions=sessions, messages=messages))
        layout.close()
        sessions += 1
    report = ExportReport(sessions=sessions, messages=messages)
    layout.end(report)
    if progress is not None:
        progress(report)
    return report
