"""What users pass to the methods of batches, as it is used."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from chatledger.errors import InvalidInput
from chatledger.schemas import BatchItem
from chatledger.schemas.fields import MAX_IDENTIFIER

#: Characters of an error that are kept.
MAX_ERROR = 2000
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
    """A length of time within bounds.

    Raises:
        InvalidInput: it is none.
    """
    try:
        length = given if isinstance(given, timedelta) else timedelta(seconds=given)
        if least <= length <= most and not isinstance(given, bool):
            return length
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(field, f"must be a timedelta or a number of seconds, and at most {most.days} days")


def said(error: BaseException | str) -> str:
    """The text of an error, cut, without what databases cannot keep. The text may be anything, and must stop nobody."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception's own __str__ may raise
        text = ""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:MAX_ERROR]


def class_of(error: BaseException) -> str:
    """The name of an error's class, as errors are counted by it."""
    return type(error).__name__[:MAX_IDENTIFIER] or "Exception"


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
