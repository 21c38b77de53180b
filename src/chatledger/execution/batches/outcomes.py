"""What a worker may return or raise in place of a plain result or exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.services.error_text import error_message
from chatledger.unit_of_work import UnitOfWork

# The longest wait before an attempt.
_MAX_DELAY = timedelta(days=365)


class Retry(Exception):
    """Raise it in a worker to have the item tried again after `delay`, if attempts are left.

    Errors are counted by `kind`, which is by default the class of the exception that this one was raised from. A
    negative delay counts as 0, and a delay of more than a year as a year.

    Raises:
        InvalidInput: the delay or the kind is not valid.
    """

    def __init__(self, reason: str = "", *, delay: timedelta | float | None = None, kind: str | None = None) -> None:
        super().__init__(reason)
        self.delay = _valid_delay(delay)
        self.kind = _valid_kind(kind)


class GiveUp(Exception):
    """Raise it in a worker to have the item fail for good, even if attempts are left. `kind` is that of `Retry`."""

    def __init__(self, reason: str = "", *, kind: str | None = None) -> None:
        super().__init__(reason)
        self.kind = _valid_kind(kind)


def _valid_delay(delay: Any) -> timedelta | None:
    if delay is None or isinstance(delay, timedelta):
        return None if delay is None else min(max(delay, timedelta(0)), _MAX_DELAY)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or delay != delay:
        raise InvalidInput("delay", "must be a timedelta or a number of seconds")
    return timedelta(seconds=min(max(delay, 0), _MAX_DELAY.total_seconds()))


def _valid_kind(kind: Any) -> str | None:
    if kind is not None and not isinstance(kind, str):
        raise InvalidInput("kind", "must be text")
    return None if kind is None else error_message(kind)[:MAX_IDENTIFIER] or None


@dataclass(frozen=True)
class BatchResult:
    """Return it from a worker, in place of a JSON value, to write something else together with the result.

    `record` is called with the unit of work in which the item is completed. What it writes is committed with the
    result, once, or not at all. It may be called again when the database was busy. It returns the id of a session, or
    None.
    """

    value: Any = None
    record: Callable[[UnitOfWork], str | None] | None = None
