"""`llm`: the text of attached files that the log holds."""

from __future__ import annotations

from typing import Any

from chatledger.adoption.source.database import Source
from chatledger.adoption.source.json_values import cleaned
from chatledger.adoption.source.message_content import is_text_type
from chatledger.schemas.fields import MAX_TEXT


def attachment_text(source: Source, attachment_id: Any) -> str | None:
    """The text of an attachment, or None if it is of another kind, or elsewhere."""
    if not source.has("attachments", "id", "type", "content") or not isinstance(attachment_id, str):
        return None
    found = source.one("SELECT type, content FROM attachments WHERE id = ?", (attachment_id,))
    if found is None or not is_text_type(found[0]):
        return None
    content = found[1]
    if isinstance(content, bytes):
        try:
            content = content.decode()
        except UnicodeDecodeError:
            return None
    return cleaned(content)[:MAX_TEXT] if isinstance(content, str) else None
