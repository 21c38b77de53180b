"""Sessions out of a ledger, as a stream of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TextIO

from chatledger.callbacks import callback
from chatledger.enums import StatusLike
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import ExportFormat
from chatledger.exchange.report import ExportReport
from chatledger.exchange.selection import Choice
from chatledger.exchange.writers.conversations import Conversations
from chatledger.exchange.writers.fine_tuning import write_openai, write_sharegpt
from chatledger.exchange.writers.json import write_json, write_json_lines
from chatledger.exchange.writers.markdown import write_markdown
from chatledger.transactions import Transactions


def _write_html(out: TextIO, conversations: Conversations) -> None:
    # Other formats do not wait for Jinja2 to be imported.
    from chatledger.exchange.writers.html import write_html  # noqa: PLC0415

    write_html(out, conversations)


_WRITERS: dict[ExportFormat, Callable[[TextIO, Conversations], None]] = {
    ExportFormat.JSON: write_json,
    ExportFormat.JSONL: write_json_lines,
    ExportFormat.MARKDOWN: write_markdown,
    ExportFormat.HTML: _write_html,
    ExportFormat.OPENAI: write_openai,
    ExportFormat.SHAREGPT: write_sharegpt,
}


def export_sessions(
    ledger: Transactions,
    out: TextIO,
    *,
    format: ExportFormat | str,
    session_ids: Iterable[str] | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    status: StatusLike | Iterable[StatusLike] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write sessions with all their messages, in bounded memory, from one snapshot of the ledger.

    `session_ids` names them, in that order and expired ones too; else they are those that the filters leave, expired
    ones included unless `status` says otherwise, newest activity first. A training set (`openai`, `sharegpt`) holds one
    session at a time in memory. The snapshot is held until all is written: a
    slow `out` keeps the database from tidying up meanwhile.

    Raises:
        SessionNotFound: an id is of no session, or of another user's. Nothing was written.
        InvalidInput: ids and filters together, or an invalid filter.
    """
    progress = callback(progress, "progress")
    try:
        write = _WRITERS[ExportFormat(format)]
    except ValueError:
        raise InvalidInput("format", f"is not one of {', '.join(ExportFormat)}") from None
    choice = Choice(session_ids, user_id, project_id, status, since, until)
    with ledger.read() as uow:
        conversations = Conversations(uow, choice.sessions(uow), progress, choice.state(uow, ledger.user_id))
        write(out, conversations)
    report = conversations.report()
    if progress is not None:
        progress(report)
    return report
