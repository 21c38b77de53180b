"""What a worker may return or raise, to say more of an item than its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.services.batches.arguments import said
from chatledger.unit_of_work import UnitOfWork

#: The longest wait for an attempt.
_LONGEST = timedelta(days=365)


class Retry(Exception):
    """A worker raises it to have an item tried again later, where attempts are left; `delay` is how much later.

    `kind` is what errors are counted by: by default the exception that this one was raised from. A delay below none is
    none, and one of more than a year is a year.

    Raises:
        InvalidInput: a delay or kind that is none.
    """

    def __init__(self, reason: str = "", *, delay: timedelta | float | None = None, kind: str | None = None) -> None:
        super().__init__(reason)
        self.delay = _waited(delay)
        self.kind = _counted_by(kind)


class GiveUp(Exception):
    """A worker raises it to have an item fail for good, whatever attempts are left. `kind` as in `Retry`."""

    def __init__(self, reason: str = "", *, kind: str | None = None) -> None:
        super().__init__(reason)
        self.kind = _counted_by(kind)


def _waited(delay: Any) -> timedelta | None:
    if delay is None or isinstance(delay, timedelta):
        return None if delay is None else min(max(delay, timedelta(0)), _LONGEST)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or delay != delay:
        raise InvalidInput("delay", "must be a timedelta or a number of seconds")
    return timedelta(seconds=min(max(delay, 0), _LONGEST.total_seconds()))


def _counted_by(kind: Any) -> str | None:
    if kind is not None and not isinstance(kind, str):
        raise InvalidInput("kind", "must be text")
    return None if kind is None else said(kind)[:MAX_IDENTIFIER] or None


@dataclass(frozen=True)
class BatchResult:
    """What a worker may return in place of a bare JSON value, to record more than that.

    `record` is called with the unit of work in which the item is completed: what it writes is committed with the result,
    once, or not at all. It may be called again when the database was busy. It returns the id of a session, or None.
    """

    value: Any = None
    record: Callable[[UnitOfWork], str | None] | None = None
