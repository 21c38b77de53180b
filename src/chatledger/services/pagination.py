"""Opaque cursors: where a list goes on."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas.fields import identifier, moment

NOT_A_CURSOR = "is not a cursor of this list: pass next_cursor of the page before, unchanged"


def encode_cursor(kind: str, *place: Any) -> str:
    """A cursor of a list, from the last row's place in it."""
    return urlsafe_b64encode(json.dumps([kind, *place], separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, *types: type) -> list[Any]:
    """The place in a cursor.

    Raises:
        InvalidInput: not a cursor of this list.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found: Any = json.loads(urlsafe_b64decode(padded.encode("ascii", "strict")))
    except (ValueError, TypeError, AttributeError, RecursionError):
        found = None
    expected = (str, *types)
    if not isinstance(found, list) or tuple(map(type, found)) != expected or found[0] != kind:
        raise InvalidInput("cursor", NOT_A_CURSOR)
    return list(found[1:])


def decode_moment_cursor(kind: str, cursor: str, key: type) -> tuple[datetime, Any]:
    """The place in a cursor of a list by time: a moment, and what decides within it. A cursor may be forged.

    Raises:
        InvalidInput: not a cursor of this list.
    """
    text, last = decode_cursor(kind, cursor, str, key)
    try:
        if isinstance(last, str):
            identifier(last, "cursor")
        elif not 0 <= last < 2**63:
            raise ValueError
        return moment(datetime.fromisoformat(text), "cursor"), last
    except ValueError:
        pass
    raise InvalidInput("cursor", NOT_A_CURSOR)


def limited(limit: object, most: int = 1000) -> int:
    """A page size within bounds.

    Raises:
        InvalidInput: below one, or not a number.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidInput("limit", "must be a whole number from 1")
    return min(limit, most)
