"""Files of folders that were imported before: those that have not changed since are not read again.

What is known of a file is state of the first of its sessions: deleted with it, so that the file is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import select

from chatledger.enums import StateScope
from chatledger.models import tables
from chatledger.services.rows import sessions
from chatledger.services.visibility import visible_to_owner
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

KEY = "imported_file"
"""The key of the state."""

_states = tables.state
_KNOWN = (
    select(_states.c.scope_id, _states.c.value)
    .join(sessions, sessions.c.session_id == _states.c.scope_id)
    .where(_states.c.scope == StateScope.SESSION, _states.c.key == KEY, visible_to_owner())
)


@dataclass(frozen=True)
class FileState:
    """A file as it was before it was read."""

    path: str
    size: int
    modified: int
    """In nanoseconds, as the file system says."""

    @classmethod
    def of(cls, path: Path) -> FileState | None:
        """None if it cannot be looked at, or has a name that is no text."""
        try:
            found, name = path.stat(), str(path.resolve())
            name.encode()
        except (OSError, UnicodeEncodeError):
            return None
        return cls(name, found.st_size, found.st_mtime_ns)


class FilesRead:
    """The files that were imported before, looked up once for each import."""

    def __init__(self, ledger: Transactions) -> None:
        self._ledger = ledger
        self._known: dict[str, dict[str, Any]] | None = None

    def has(self, file: FileState) -> bool:
        """Whether a file was imported as it is: of the same size and time, or of the same content."""
        if self._known is None:
            self._known = self._load()
        known = self._known.get(file.path)
        if known is None or known.get("size") != file.size:
            return False
        return known.get("modified") == file.modified or known.get("digest") == _digest(file.path)

    def remember(self, file: FileState, session_id: str) -> None:
        """Note that a file was imported. If it has changed since it was looked at, it will be read again."""
        value = {"path": file.path, "size": file.size, "modified": file.modified, "digest": _digest(file.path)}
        self._ledger.run(lambda uow: uow.state.set(KEY, value, session_id=session_id))

    def _load(self) -> dict[str, dict[str, Any]]:
        with self._ledger.read() as uow:
            return {value["path"]: value for value in _values(uow)}


def _values(uow: UnitOfWork) -> list[dict[str, Any]]:
    rows = uow._context.execute(_KNOWN, {"owner": uow._context.owner})
    return [row.value for row in rows if isinstance(row.value, dict) and isinstance(row.value.get("path"), str)]


def _digest(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            digest = blake2b(digest_size=16)
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return None
