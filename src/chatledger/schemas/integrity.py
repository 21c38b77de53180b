"""What a check found, and what a repair did."""

from __future__ import annotations

from pathlib import Path

from chatledger.enums import Severity
from chatledger.schemas.fields import Record


class Finding(Record):
    """One kind of what was found."""

    kind: str
    """Such as `schema` or `digest`."""
    count: int
    """How often it was found."""
    examples: tuple[str, ...]
    """The first twenty, by ids and numbers; never what is stored."""
    remedy: str
    """What to do about it."""
    severity: Severity = Severity.DEFECT
    """A defect is wrong; a note is worth knowing."""


class IntegrityReport(Record):
    """The outcome of a check. True when no defect was found."""

    revision: str | None
    findings: tuple[Finding, ...]
    """The worst first; notes last."""
    full: bool = True
    """Whether every row was read."""

    @property
    def ok(self) -> bool:
        """Whether there is no defect. Notes do not count."""
        return not any(finding.severity is Severity.DEFECT for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok


class RepairAction(Record):
    """One kind of what a repair did."""

    kind: str
    """Such as `counters`: the kind of finding that it mends."""
    what: str
    """What was done."""
    count: int
    """How often."""
    examples: tuple[str, ...]
    """The first twenty, by ids and numbers."""


class RepairReport(Record):
    """What a repair did, or with `dry_run` would do. True when nothing is left that is wrong."""

    dry_run: bool
    backup: Path | None
    """The copy that was made before, or None."""
    actions: tuple[RepairAction, ...]
    left: IntegrityReport
    """What a full check finds afterwards."""

    @property
    def ok(self) -> bool:
        """Whether no defect is left."""
        return self.left.ok

    def __bool__(self) -> bool:
        return self.ok
