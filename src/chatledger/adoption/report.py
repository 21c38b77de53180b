"""What an adoption says of itself."""

from __future__ import annotations

from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.enums import Orphans
from chatledger.schemas.fields import Record

NAMED = 1000
"""Rows that a finding names; its count goes on."""


class SourceFinding(Record):
    """One kind of defect, or of something worth knowing, in one table of the source."""

    kind: str
    """Such as `orphan_messages`."""
    table: str
    count: int
    """How often it was found."""
    examples: tuple[Any, ...]
    """The first thousand rows that have it, by their keys."""
    action: str
    """What becomes of it."""


class TableAccount(Record):
    """What became of every row of one table. `rows` is the sum of the others."""

    table: str
    rows: int
    copied: int
    """Its content is in the ledger: in sessions, messages, the registry, annotations, metrics, comparisons and so on.
    """
    kept: int
    """It is kept beside them: in metadata, in a payload, or in the session of rows that belong to no other."""
    already_there: int
    """An earlier adoption brought it."""
    derived: int
    """It only repeats other rows, such as a search index."""
    left_out: int
    """Not adopted, and named below."""
    left_out_rows: tuple[str, ...]
    """Row numbers (`rowid`) of those left out, such as `430-436`."""


class AdoptionProgress(Record):
    """How far an adoption has come. The rows are gone through twice: to report, and to copy."""

    step: str
    rows_done: int
    rows_total: int


class AdoptionReport(Record):
    """What was found in a source, and what was done, or would be done when `dry_run` is set."""

    source: str
    layout: Layout
    orphans: Orphans
    timezone: str
    """How times without a zone were read."""
    dry_run: bool
    findings: tuple[SourceFinding, ...]
    tables: tuple[TableAccount, ...]
    sessions: int
    """Sessions that were added to the ledger, without the session that holds other rows."""
    messages: int
    """Messages that were added to the ledger, without those that hold other rows."""
    already_there: int
    """Sessions that an earlier adoption brought. Messages that came since are among `messages`."""
    other_rows: int
    """Rows that belong to no session and were added as messages of the session `LAYOUT-rows`."""

    def finding(self, kind: str, table: str | None = None) -> SourceFinding | None:
        """The finding of a kind, in a table where there are several."""
        return next((f for f in self.findings if f.kind == kind and table in (None, f.table)), None)
