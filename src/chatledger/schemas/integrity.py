"""What a check found, and what a repair did."""

from __future__ import annotations

from pathlib import Path

from chatledger.enums import Severity
from chatledger.schemas.fields import Record


class Finding(Record):
    """One kind of what was found."""

    #: Such as `schema` or `digest`.
    kind: str
    #: How often it was found.
    count: int
    #: The first twenty, by ids and numbers; never what is stored.
    examples: tuple[str, ...]
    #: What to do about it.
    remedy: str
    #: A defect is wrong; a note is worth knowing.
    severity: Severity = Severity.DEFECT


class IntegrityReport(Record):
    """The outcome of a check. True when no defect was found."""

    revision: str | None
    #: The worst first; notes last.
    findings: tuple[Finding, ...]
    #: Whether every row was read.
    full: bool = True

    @property
    def ok(self) -> bool:
        """Whether there is no defect. Notes do not count."""
        return not any(finding.severity is Severity.DEFECT for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok


class RepairAction(Record):
    """One kind of what a repair did."""

    #: Such as `counters`: the kind of finding that it mends.
    kind: str
    #: What was done.
    what: str
    #: How often.
    count: int
    #: The first twenty, by ids and numbers.
    examples: tuple[str, ...]


class RepairReport(Record):
    """What a repair did, or with `dry_run` would do. True when nothing is left that is wrong."""

    dry_run: bool
    #: The copy that was made before; None where there is none.
    backup: Path | None
    actions: tuple[RepairAction, ...]
    #: What a full check finds afterwards.
    left: IntegrityReport

    @property
    def ok(self) -> bool:
        """Whether no defect is left."""
        return self.left.ok

    def __bool__(self) -> bool:
        return self.ok
