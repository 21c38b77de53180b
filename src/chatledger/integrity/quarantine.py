"""Invalid values: kept as they are in the session's metadata, and replaced so that their row can be read again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Table, and_, bindparam, insert, literal, update

from chatledger.dialects.base import TABLE_PREFIX
from chatledger.dialects.encoding import check_text
from chatledger.dialects.types import wire
from chatledger.enums import BatchStatus, ItemStatus, Outcome, Role, SnapshotKind, Status
from chatledger.errors import InvalidInput
from chatledger.full_text.parts import OF_SESSIONS, search_columns, session_search_columns
from chatledger.integrity.orphans import free_key, make_recovery
from chatledger.integrity.values import Defect, matches, moment_of, wants_object
from chatledger.models import Base
from chatledger.schemas.digest import message_digest
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, metadata, sessions

# What replaces an unknown word. A failed session can be read, and takes no messages until it is reopened.
_WORDS = {
    ("chatledger_sessions", "status"): Status.FAILED.value,
    ("chatledger_session_snapshots", "kind"): SnapshotKind.MANUAL.value,
    ("chatledger_batch_jobs", "status"): BatchStatus.PAUSED.value,
    ("chatledger_batch_items", "status"): ItemStatus.FAILED.value,
}

# Words of a message that its digest guards.
_GUARDED: dict[str, type[StrEnum]] = {"role": Role, "outcome": Outcome}


class SettingAside:
    """Mends values, one row at a time."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        # Where values of tables without a session are kept, by table.
        self._homes: dict[str, str] = {}

    def mend(self, defect: Defect) -> bool:
        """Keep a value and replace it; whether that was possible."""
        table = Base.metadata.tables[defect.table]
        row = self._row(table, defect)
        if row is None:
            return False
        if defect.table == "chatledger_messages" and defect.column in _GUARDED and self._find_word(defect, row):
            return True
        found, replacement = _replacement(table, defect)
        if not found:
            return False
        self._keep(table, defect, row)
        self._set(table, defect, {defect.column: replacement})
        return True

    def index_text(self, defect: Defect) -> bool:
        """Rebuild what full text indexes of a message or a session."""
        table = Base.metadata.tables[defect.table]
        row = self._row(table, defect)
        if row is None:
            return False
        try:
            values = search_values(table, row)
        except (TypeError, AttributeError):  # an invalid text, which is reported by itself
            return False
        self._set(table, defect, values)
        return True

    def accept(self, defect: Defect) -> bool:
        """Give a message the digest of what is stored."""
        row = self._row(messages, defect)
        created_at = None if row is None else moment_of(row["created_at"])
        if row is None or created_at is None:
            return False
        try:
            digest = message_digest(row, created_at)
        except (ValueError, TypeError):
            return False
        self._set(messages, defect, {"digest": digest})
        return True

    def _row(self, table: Table, defect: Defect) -> Mapping[str, Any] | None:
        return self._context.dialect.integrity.row(self._context.connected(), table, defect.key)

    def _find_word(self, defect: Defect, row: Mapping[str, Any]) -> bool:
        """The digest tells which word it was."""
        words = (word.value for word in _GUARDED[defect.column])
        found = next((word for word in words if matches({**row, defect.column: word})), None)
        if row["digest"] is None or found is None:
            return False
        self._set(messages, defect, {defect.column: found})
        return True

    def _keep(self, table: Table, defect: Defect, row: Mapping[str, Any]) -> None:
        # The audit log and metrics have a session in their key, but it may be empty or gone.
        lives_with_session = table.name == sessions.name or any(
            rule.referred_table.name == sessions.name for rule in table.foreign_key_constraints
        )
        session_id = row["session_id"] if lives_with_session else self._home(table)
        parts = defect.key[1:] if lives_with_session else defect.key
        key = "/".join(["repaired", table.name, *(str(part) for part in parts if part != ""), defect.column])
        entry = {
            "session_id": session_id,
            "key": free_key(self._context, session_id, key),
            "value": _kept(row[defect.column]),
            "updated_at": self._context.now(),
        }
        self._context.execute(insert(metadata), entry)

    def _home(self, table: Table) -> str:
        if table.name not in self._homes:
            self._homes[table.name] = make_recovery(self._context, table.name.removeprefix(TABLE_PREFIX), {})
        return self._homes[table.name]

    def _set(self, table: Table, defect: Defect, values: Mapping[str, Any]) -> None:
        this = [
            column == literal(part, column.type) for column, part in zip(table.primary_key, defect.key, strict=True)
        ]
        # In stored form: JSON is text already, and a word need not be bound as one.
        bound = {name: bindparam(f"new_{name}", value, type_=_stored(table, name)) for name, value in values.items()}
        self._context.execute(update(table).where(and_(*this)).values(bound))


def search_values(table: Table, row: Mapping[str, Any]) -> dict[str, str | None]:
    """What the search columns of a message or a session must hold."""
    if table.name == sessions.name:
        return session_search_columns(**{name: row[name] for name in OF_SESSIONS})
    text, extra = search_columns(row["role"], row["content"], row["payload"], row["name"], row["outcome"])
    return {"search_text": text, "search_extra": extra}


def _stored(table: Table, column: str) -> Any:
    return wire(table.c[column].type)


def _replacement(table: Table, defect: Defect) -> tuple[bool, Any]:
    column = table.c[defect.column]
    if column.nullable and defect.kind in ("json", "times", "words"):
        return True, None
    if defect.kind == "json":
        return True, "{}" if wants_object(table.name, column.name) else "null"
    word = _WORDS.get((table.name, column.name))
    return (word is not None, word)


def _kept(value: Any) -> dict[str, str]:
    try:
        return {"text": check_text(value, "value")}
    except (InvalidInput, TypeError, AttributeError):
        pass
    raw = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
    return {"base64": b64encode(raw).decode()}
