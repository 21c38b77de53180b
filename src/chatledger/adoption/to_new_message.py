"""From what a reader found to what the services take, so that nothing of it is refused or lost."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Row
from chatledger.adoption.source.json_values import cleaned, is_clean, storable
from chatledger.adoption.source.rows import OldMessage, OldName, OldSession
from chatledger.schemas.copied_message import SettledMessage
from chatledger.schemas.fields import MAX_IDENTIFIER

MARK = "adopted"
"""Under this name the metadata of an adopted session or message says where it comes from, and what had no other place.
"""


def message_key(message: OldMessage) -> str:
    """The key of a message: the row that it was, so that it is adopted once."""
    key = f"{message.row.table}:{message.row.key}{message.part}"
    return key if is_clean(key) and len(key) <= MAX_IDENTIFIER else f"row:{digest(key)}{message.part}"


def new_message(message: OldMessage, notes: Notes) -> SettledMessage:
    """The message as `append_many` takes it. Its key names the row; what cannot be stored is escaped.

    Its cost is the source's. Where the source has none, none is counted: prices of today are not those of then.
    """
    metadata = _entries(message.metadata, message.as_found, message.row, notes)
    if message.as_found:
        metadata[MARK] = {"as_found": message.as_found}
    payload = message.fields.get("payload")
    stored = None if payload is None else storable(payload)
    if stored is not payload:
        notes.add("cannot_be_stored", message.row.table, message.row.rowid)
    fields = {**message.fields, "payload": stored, "metadata": metadata or None, "key": message_key(message)}
    return SettledMessage(**fields)


def session_fields(session: OldSession, notes: Notes) -> dict[str, Any]:
    """What `sessions.create` takes. A context that cannot be stored is escaped, and kept as found."""
    context = session.fields.get("context")
    stored = None if context is None else storable(context)
    if stored is context:
        return session.fields
    row = session.copied[0]
    notes.add("cannot_be_stored", row.table, row.rowid)
    session.as_found["context"] = stored
    return {**session.fields, "context": None}


def session_metadata(session: OldSession, layout: Layout, notes: Notes) -> dict[str, Any]:
    """The metadata of a session, with the mark by which it is known again."""
    row = session.copied[0] if session.copied else None
    metadata = _entries(session.metadata, session.as_found, row, notes)
    mark: dict[str, Any] = {"layout": layout.value, "source_id": storable(session.source_id), "origin": origin(session)}
    if session.recovered:
        mark["recovered"] = session.recovered
    if session.as_found:
        mark["as_found"] = session.as_found
    metadata[MARK] = mark
    return metadata


def name_metadata(old: OldName, notes: Notes) -> dict[str, Any]:
    """The metadata of a project or model, without our mark. What cannot be stored is escaped."""
    return _entries(old.metadata, old.as_found, old.row, notes)


def record_metadata(
    metadata: dict[str, Any], as_found: dict[str, Any], row: Row, layout: Layout, notes: Notes
) -> dict[str, Any]:
    """The metadata of an annotation, a measurement or a batch, with the mark by which it is known again."""
    entries = _entries(metadata, as_found, row, notes)
    mark: dict[str, Any] = {"layout": layout.value, "source_id": f"{row.table}:{row.key}"}
    if as_found:
        mark["as_found"] = as_found
    return {**entries, MARK: mark}


def origin(session: OldSession) -> str:
    """What tells two sessions of one name apart, in a few characters."""
    return digest(f"{session.source_id} {session.origin}")


def digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _entries(given: dict[str, Any], as_found: dict[str, Any], row: Any, notes: Notes) -> dict[str, Any]:
    """Metadata that can be stored. Names that cannot, and ours, go to what is kept as found."""
    entries: dict[str, Any] = {}
    for name, value in given.items():
        stored = storable(value)
        if stored is not value and row is not None:
            notes.add("cannot_be_stored", row.table, row.rowid)
        if name == MARK or not name or len(name) > MAX_IDENTIFIER or not is_clean(name):
            as_found[f"metadata.{cleaned(name)}"] = stored
        else:
            entries[name] = stored
    return entries
