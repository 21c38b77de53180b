"""What a check found."""

from __future__ import annotations

from chatledger.schemas.fields import Record


class Finding(Record):
    """One kind of defect."""

    #: Such as `schema`.
    kind: str
    #: How often it was found.
    count: int
    #: The first few, by name.
    examples: tuple[str, ...]
    #: What to do about it.
    remedy: str


class IntegrityReport(Record):
    """The outcome of a check. True when nothing was found."""

    revision: str | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok
