"""A pool's connection for one statement that commits by itself.

SQLAlchemy's own proxy has a finalizer and a reset, which take a tenth of the time of an append.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sqlalchemy import Engine


class BorrowedConnection(ABC):
    """Has of the proxy what `Dialect.fetch_alone` uses."""

    __slots__ = ("_record", "dbapi_connection", "info", "is_valid")

    def __init__(self, record: Any) -> None:
        self._record = record
        self.is_valid = True
        try:
            self.dbapi_connection: Any = self._connected()
        except BaseException:
            record.checkin(_fairy_was_created=False)
            raise
        self.info: dict[Any, Any] = record.info

    def _connected(self) -> Any:
        return self._record.get_connection()

    @abstractmethod
    def _is_in_transaction(self) -> bool:
        """Whether a transaction is left, as after an interrupt."""

    def invalidate(self) -> None:
        """Close it: the pool makes another one."""
        self.is_valid = False
        try:
            self._record.invalidate()
        finally:
            self._record.checkin(_fairy_was_created=False)

    def close(self) -> None:
        """Give it back."""
        try:
            if self._is_in_transaction():
                self.dbapi_connection.rollback()
        except BaseException as error:
            self._record.invalidate(error)
            raise
        finally:
            self._record.checkin(_fairy_was_created=False)


def borrowed(engine: Engine, kind: type[BorrowedConnection], *, ours: int = 0) -> Any:
    """A connection of our own engine, the shortest way if nobody but us listens to its pool.

    `ours` is how many functions of ours listen to the check-out, and to the check-in: `kind` does what they do.
    """
    pool: Any = engine.pool
    events = pool.dispatch
    if len(events.checkout) > ours or len(events.checkin) > ours or events.reset or pool._should_log_debug():
        return engine.raw_connection()
    return kind(pool._do_get())
