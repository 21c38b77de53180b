"""What is found on the way, by kind: counted, with the first few by name, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from chatledger.enums import Severity
from chatledger.errors import Busy, ChatledgerError, ReadOnly, Unavailable
from chatledger.schemas import Finding
from chatledger.services.base import ServiceContext

NAMED = 20
"""How many of a kind are named."""


class Kind(NamedTuple):
    """A kind of finding."""

    remedy: str
    severity: Severity = Severity.DEFECT


_REPAIR = "run `chatledger db repair`"
_RESTORE = "restore a backup, or save what can be read with `chatledger export`"

KINDS = {
    "file": Kind(_RESTORE),
    "unreadable": Kind(_RESTORE),
    "indexes": Kind(_REPAIR),
    "schema": Kind(
        f"{_REPAIR}; what it leaves: `chatledger db downgrade` and `upgrade` over the revision that makes it, "
        "or restore a backup"
    ),
    "unchecked": Kind("mend what else is found, then check again"),
    "orphans": Kind(f"{_REPAIR} (they become sessions of their own; --orphans drop deletes them)"),
    "batches": Kind(f"{_REPAIR} (items without a job get one, paused)"),
    "groupless": Kind("restore the comparison from a backup, or delete these rows by SQL"),
    "executions": Kind("restore the execution from a backup, or delete these rows by SQL"),
    "counters": Kind(_REPAIR),
    "usage": Kind(_REPAIR),
    "sequence": Kind(_REPAIR),
    "session_names": Kind(f"{_REPAIR}; of sessions that have one name, the oldest keeps it: rename the others"),
    "copies": Kind(f"{_REPAIR} (one copy of each message that was deleted by SQL becomes the original)"),
    "constraints": Kind("run `chatledger db check` without --quick, which says which rows"),
    "json": Kind(f"{_REPAIR} (the text is set aside in the session's metadata)"),
    "words": Kind(_REPAIR),
    "times": Kind(f"{_REPAIR}; a time that must be there has to be set by SQL"),
    "values": Kind(_RESTORE),
    "digest": Kind(
        "restore these messages from a backup; where the change was meant, run `chatledger db repair --accept-changed`"
    ),
    "full_text": Kind(_REPAIR),
    "snapshots": Kind("restore these snapshots from a backup: they cannot be mended"),
    "timeouts": Kind(_REPAIR),
    "unused": Kind("`VACUUM` gives the room back (`chatledger db maintain`)", Severity.NOTE),
    "no_digest": Kind("nothing: they were written without one, as the totals of erased users are", Severity.NOTE),
    "results": Kind("nothing: the session that an item was recorded as has been deleted", Severity.NOTE),
    "comparisons": Kind("nothing: a session of the comparison was deleted by SQL; its results stay", Severity.NOTE),
    "names": Kind("they are registered by their next use, or now by `chatledger db repair`", Severity.NOTE),
    "open_calls": Kind(
        "nothing is damaged, but models refuse such a conversation: append the results, or delete the calls",
        Severity.NOTE,
    ),
    "stray_results": Kind(
        "nothing is damaged, but models refuse such a conversation: delete the results of calls that are gone",
        Severity.NOTE,
    ),
    "parents": Kind("nothing: their parent was deleted by SQL, or belongs to another user", Severity.NOTE),
    "forks": Kind("nothing: the session that they were copied from has been deleted", Severity.NOTE),
}
"""Every kind, the worst first."""


@dataclass
class _Found:
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """A report in the making."""

    def __init__(self) -> None:
        self._found: dict[str, _Found] = {}

    def add(self, kind: str, *examples: str, count: int | None = None) -> None:
        """Note something, once for each example or so many times."""
        number = len(examples) if count is None else count
        if number:
            found = self._found.setdefault(kind, _Found())
            found.count += number
            found.examples += examples[: NAMED - len(found.examples)]

    def has(self, kind: str) -> bool:
        return kind in self._found

    @contextmanager
    def probing(self, context: ServiceContext, what: str) -> Iterator[None]:
        """Look at something that may be too damaged to be looked at: that is told then, and the check goes on."""
        savepoint = context.connected().begin_nested()
        try:
            yield
        except Exception as error:
            # A transaction that was ended by the error has no savepoint any more.
            if savepoint.is_active:
                savepoint.rollback()
            failure = error if isinstance(error, ChatledgerError) else None
            if failure is None:
                if not context.dialect.recognises(error):
                    raise
                failure = context.dialect.translate(error)
            if isinstance(failure, Busy | Unavailable | ReadOnly):
                raise failure from None
            self.add("unchecked", f"{what}: {failure}")
        else:
            savepoint.commit()

    def all(self) -> tuple[Finding, ...]:
        """What was found, the worst first."""
        return tuple(
            Finding(
                kind=kind,
                count=self._found[kind].count,
                examples=tuple(self._found[kind].examples),
                remedy=about.remedy,
                severity=about.severity,
            )
            for kind, about in KINDS.items()
            if kind in self._found
        )


def listed(names: Sequence[str]) -> tuple[str, ...]:
    """The first few."""
    return tuple(names[:NAMED])
