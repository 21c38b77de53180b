"""The class and the message of an error as they are stored with the item or step that failed."""

from __future__ import annotations

from chatledger.schemas.fields import MAX_IDENTIFIER

MAX_MESSAGE = 2000
"""The most characters of a message that are stored."""


def error_message(error: BaseException | str) -> str:
    """Return the message of an error, truncated and without characters that a database refuses. Never raises."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception's own __str__ may raise
        text = ""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:MAX_MESSAGE]


def error_class(error: BaseException) -> str:
    """Return the name of an error's class, by which errors are counted."""
    return type(error).__name__[:MAX_IDENTIFIER] or "Exception"
