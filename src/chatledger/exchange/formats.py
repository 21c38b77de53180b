"""The formats that files come and go in."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What an import reads."""

    #: Whichever of the others the content shows.
    AUTO = "auto"
    #: Chat messages with `role` and `content`: a list of them, or records that hold such lists.
    OPENAI = "openai"
    #: Records with `conversations` of `from` and `value`.
    SHAREGPT = "sharegpt"
    #: Our own export, as JSON Lines or as one JSON document.
    JSONL = "jsonl"


class ExportFormat(StrEnum):
    """What an export writes. JSON Lines is the one to keep: it is imported in bounded memory."""

    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    HTML = "html"


#: What a file is told that is none of ours.
KNOWN = "openai (lists of role and content), sharegpt (lists of from and value) and jsonl (our own export)"
