"""Observers: objects that are notified of what a ledger does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event

if TYPE_CHECKING:
    from chatledger.schemas import SweepReport

logger = logging.getLogger("chatledger")

VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "PRAGMA"})
"""The verbs that observers are given. Any other is "OTHER", so that no text of a statement is passed on."""


class Observer:
    """Notified of what a ledger does, in the thread that does it, so be quick. Override the methods you need.

    Only `swept` gets ids and titles of sessions, in its report. An exception that an observer raises is logged and goes
    no further.
    """

    statements = False
    """Whether `statement` is to be called. On SQLite hot statements then take the longer way, through SQLAlchemy."""

    def transaction(self, mode: str, outcome: str, waited: float, seconds: float) -> None:
        """A transaction has ended. `mode` is read or write; `outcome` is committed, rolled back, busy or failed.

        `waited` is the number of seconds until it began (for the writer's turn, a connection, the lock), `seconds` the
        number after that.
        """

    def appended(self, messages: int) -> None:
        """That many messages were appended and committed."""

    def statement(self, verb: str, seconds: float) -> None:
        """A statement ran without an error. `verb` is one of `VERBS`, or OTHER."""

    def swept(self, report: SweepReport) -> None:
        """A sweep has ended."""


class Observers:
    """The observers of one ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engines = [engine]
        self._all: tuple[Observer, ...] = ()
        self._listening = False

    def __bool__(self) -> bool:
        return bool(self._all)

    def watch(self, engine: Engine) -> None:
        """Notify of the statements of another engine too. Called before the first observer is added."""
        self._engines.append(engine)

    def add(self, observer: Observer) -> Callable[[], None]:
        """Add an observer. Call the returned function to remove it."""
        self._all = (*self._all, observer)
        self._listen()

        def remove() -> None:
            self._all = tuple(one for one in self._all if one is not observer)
            self._listen()

        return remove

    def notify(self, what: str, *facts: Any) -> None:
        """Call a method of each."""
        for observer in self._all:
            if what == "statement" and not observer.statements:
                continue
            try:
                getattr(observer, what)(*facts)
            except Exception as error:  # noqa: BLE001 - nobody's append fails because of who looks on
                logger.warning("an observer failed", extra={"reason": type(error).__name__})

    def _listen(self) -> None:
        wanted = any(observer.statements for observer in self._all)
        if wanted == self._listening:
            return
        change = event.listen if wanted else event.remove
        for engine in self._engines:
            change(engine, "before_cursor_execute", self._before)
            change(engine, "after_cursor_execute", self._after)
        self._listening = wanted

    def _before(self, connection: Connection, *_: Any) -> None:
        connection.info["chatledger_began"] = perf_counter()

    def _after(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        began = connection.info.pop("chatledger_began", None)
        if began is not None:
            verb = statement.lstrip()[:9].split(None, 1)[0].upper() if statement.strip() else ""
            self.notify("statement", verb if verb in VERBS else "OTHER", perf_counter() - began)
