"""Sessions out of a ledger, as a stream of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import TextIO

from chatledger.errors import InvalidInput
from chatledger.exchange.formats import ExportFormat
from chatledger.exchange.html import Html
from chatledger.exchange.json_layouts import JsonDocument, JsonLines
from chatledger.exchange.layout import Layout
from chatledger.exchange.markdown import Markdown
from chatledger.exchange.report import ExportReport
from chatledger.schemas import Session
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork
from chatledger.vocabulary import Status

_LAYOUTS: dict[ExportFormat, Callable[[TextIO], Layout]] = {
    ExportFormat.JSON: JsonDocument,
    ExportFormat.JSONL: JsonLines,
    ExportFormat.MARKDOWN: Markdown,
    ExportFormat.HTML: Html,
}
#: Sessions that are held at a time.
_PAGE = 100
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
    try:
        layout = _LAYOUTS[ExportFormat(format)](out)
    except ValueError:
        raise InvalidInput("format", f"is not one of {', '.join(ExportFormat)}") from None
    if session_ids is not None and any(given is not None for given in (user_id, project_id, status, since, until)):
        raise InvalidInput("session_ids", "cannot stand beside filters: they name the sessions already")
    with ledger.read() as uow:
        if session_ids is not None:
            chosen = _named(uow, session_ids)
        else:
            chosen = _listed(uow, user_id, project_id, list(Status) if status is None else status, since, until)
        return _write(uow, layout, chosen, progress)


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


def _named(uow: UnitOfWork, session_ids: Iterable[str]) -> Iterator[Session]:
    if isinstance(session_ids, str):
        raise InvalidInput("session_ids", "must be a list of ids, not one text")
    ids = list(dict.fromkeys(session_ids))
    for session_id in ids:  # before anything is written
        uow.sessions.get(session_id, include_expired=True)
    return (uow.sessions.get(session_id, include_expired=True) for session_id in ids)


def _listed(
    uow: UnitOfWork,
    user_id: str | None,
    project_id: str | None,
    status: Status | str | Iterable[Status | str],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Session]:
    statuses = status if isinstance(status, str) else list(status)
    cursor: str | None = None
    while True:
        page = uow.sessions.list(
            user_id=user_id, project_id=project_id, status=statuses, since=since, until=until, limit=_PAGE, cursor=cursor
        )  # fmt: skip
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return
