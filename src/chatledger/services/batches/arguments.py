"""What users pass to the methods of batches, as it is used."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from chatledger.errors import InvalidInput
from chatledger.schemas import BatchItem

_LONGEST_LEASE = timedelta(days=30)

Words = TypeVar("Words", bound=StrEnum)


def claimed(item: Any) -> BatchItem:
    """A claimed item.

    Raises:
        InvalidInput: anything else.
    """
    if not isinstance(item, BatchItem):
        raise InvalidInput("item", "must be an item as `claim` gave it")
    return item


def leased(given: timedelta | float) -> timedelta:
    """How long a lease lasts.

    Raises:
        InvalidInput: no length of time.
    """
    return duration(given, "lease", timedelta(milliseconds=1), _LONGEST_LEASE)


def duration(given: Any, field: str, least: timedelta, most: timedelta) -> timedelta:
    """Return a length of time, given as a timedelta or in seconds.

    Raises:
        InvalidInput: it is not a length of time, or out of bounds.
    """
    try:
        length = given if isinstance(given, timedelta) else timedelta(seconds=given)
        if least <= length <= most and not isinstance(given, bool):
            return length
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(
        field, f"must be a timedelta or a number of seconds, from {least.total_seconds():g} to {most.days} days"
    )


def word_of(words: type[Words], given: Any) -> Words:
    """One word of a closed list.

    Raises:
        InvalidInput: it is none of them.
    """
    try:
        return words(given)
    except ValueError:
        pass
    raise InvalidInput("status", f"is not one of {', '.join(words)}")
