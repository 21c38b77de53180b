"""Messages or sessions as a table, for notebooks and spreadsheets: one row after the other, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import IO, Any, TextIO, cast

from chatledger.callbacks import callback
from chatledger.enums import StatusLike
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import TableFormat, TableOf
from chatledger.exchange.report import ExportReport
from chatledger.exchange.selection import Choice
from chatledger.exchange.writers.columns import COLUMNS, Column
from chatledger.exchange.writers.csv import write_csv
from chatledger.exchange.writers.parquet import write_parquet
from chatledger.schemas import Session
from chatledger.schemas.fields import flags
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

# Rows between two calls of `progress`.
_STEP = 1000


def export_table(
    ledger: Transactions,
    out: IO[Any],
    *,
    format: TableFormat | str,
    of: TableOf | str = TableOf.MESSAGES,
    guard: bool = True,
    session_ids: Iterable[str] | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    status: StatusLike | Iterable[StatusLike] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write a table of messages, or of sessions, chosen as by `export_sessions`, from one snapshot of the ledger.

    `out` takes text for CSV and bytes for Parquet. Money is exact (`decimal(19, 9)` dollars), times are UTC, JSON is
    its text. A message's row names the user, the project and the model of its session, too. In CSV a missing value and
    an empty text look the same. With `guard` a text that a spreadsheet would take for a formula (it begins with = + -
    @, a tab or a carriage return) gets a ' in front; without, it is as it was stored.

    Raises:
        MissingExtra: Parquet is asked for, and its library is not installed.
        SessionNotFound: an id is of no session, or of another user's. Nothing was written.
        InvalidInput: ids and filters together, an invalid filter, an unknown format or table.
    """
    flags(guard=guard)
    progress = callback(progress, "progress")
    try:
        form = TableFormat(format)
    except ValueError:
        raise InvalidInput("format", f"is not one of {', '.join(TableFormat)}") from None
    try:
        columns = COLUMNS[TableOf(of)]
    except ValueError:
        raise InvalidInput("of", f"is not one of {', '.join(TableOf)}") from None
    choice = Choice(session_ids, user_id, project_id, status, since, until)
    counted = _Counted(progress)
    with ledger.read() as uow:
        rows = counted.rows(uow, choice.sessions(uow), columns, whole=TableOf(of) is TableOf.SESSIONS)
        if form is TableFormat.CSV:
            write_csv(cast(TextIO, out), columns, rows, guard=guard)
        else:
            write_parquet(out, columns, rows)
    return counted.finished()


class _Counted:
    """The rows on their way out, and how many there were."""

    def __init__(self, progress: Callable[[ExportReport], None] | None) -> None:
        self._progress = progress
        self._sessions = self._messages = 0

    def rows(
        self, uow: UnitOfWork, chosen: Iterator[Session], columns: tuple[Column, ...], *, whole: bool
    ) -> Iterator[list[Any]]:
        for session in chosen:
            self._sessions += 1
            if whole:
                self._report_progress(self._sessions)
                yield [column.value(session, None) for column in columns]
                continue
            for message in uow.messages.iterate(session.session_id):
                self._messages += 1
                self._report_progress(self._messages)
                yield [column.value(session, message) for column in columns]

    def finished(self) -> ExportReport:
        report = ExportReport(sessions=self._sessions, messages=self._messages)
        if self._progress is not None:
            self._progress(report)
        return report

    def _report_progress(self, rows: int) -> None:
        if self._progress is not None and rows % _STEP == 0:
            self._progress(ExportReport(sessions=self._sessions, messages=self._messages))
