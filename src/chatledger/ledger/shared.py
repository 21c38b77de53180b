"""One ledger for each URL and process, with the number of those who use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

from sqlalchemy.engine import URL

from chatledger.clock import Clock
from chatledger.dialects import dialect_of, parse_url
from chatledger.errors import InvalidInput
from chatledger.settings import DEFAULT_URL, Preset, Settings

L = TypeVar("L", bound=Hashable)

Migrate = Literal["empty", "always", "check", "never"]


class LedgerOptions(TypedDict, total=False):
    """The arguments of `Ledger` beside its database."""

    settings: Settings | None
    preset: Preset | str | None
    migrate: Migrate
    create: bool
    check: Literal["quick", "full"] | None
    durability: Literal["normal", "full"] | None
    prepared_statements: bool | None
    reader: str | URL | None
    reader_wait: float
    clock: Clock


class _Entry(Generic[L]):
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.lock = threading.Lock()
        """Held while the ledger is opened: another URL does not wait for it."""
        self.ledger: L | None = None
        self.users = 0


class _Key(NamedTuple):
    """A database: its URL in full, and a file by its path, however it was written."""

    url: str
    file: Path | None


class SharedLedgers(Generic[L]):
    """The ledgers of a process that are shared."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[_Key, _Entry[L]] = {}

    def take(self, url: str | Path | URL | None, options: dict[str, Any], make: Callable[[], L]) -> L:
        """Return the ledger of a URL, opened by the first call. Each call is to be followed by one `give_back`.

        Raises:
            InvalidInput: the URL is not valid, or the ledger was opened with other options.
        """
        key = _key(url)
        while True:
            with self._lock:
                entry = self._entries.setdefault(key, _Entry(options))
            with entry.lock:
                if self._entries.get(key) is not entry:
                    continue  # its opening failed, or its last user has left
                if entry.ledger is None:
                    try:
                        entry.ledger = make()
                    except BaseException:
                        del self._entries[key]
                        raise
                elif entry.options != options:
                    raise InvalidInput("url", "is of a ledger that this process shares already, with other options")
                entry.users += 1
                return entry.ledger

    def give_back(self, ledger: L) -> bool:
        """End one use. Return whether the ledger is to be closed: it was the last one, or the ledger is not shared."""
        found = [(key, entry) for key, entry in list(self._entries.items()) if entry.ledger is ledger]
        if not found:
            return True
        key, entry = found[0]
        with entry.lock:
            if self._entries.get(key) is not entry:
                return True
            entry.users -= 1
            if entry.users:
                return False
            del self._entries[key]
            return True

    def _in_child(self) -> None:
        """The child has the parent's ledgers and as many uses of each. A thread of the parent may have held a lock."""
        entries = {key: entry for key, entry in self._entries.items() if entry.ledger is not None}
        self._begin()
        for entry in entries.values():
            entry.lock = threading.Lock()
        self._entries.update(entries)


def _key(given: str | Path | URL | None) -> _Key:
    url = parse_url(DEFAULT_URL if given is None else given)
    file = dialect_of(url.get_backend_name()).file(url)
    if file is None:
        return _Key(url.render_as_string(hide_password=False), None)
    return _Key(URL.create(url.drivername, query=url.query).render_as_string(), file.resolve())
