"""A ledger that reads from a replica, which never shows a writer its own past.

The position of a commit is asked of the primary when somebody reads after it, and not at each commit. Whether the
replica has replayed it is asked on the connection that is to be read from, before the transaction begins: a snapshot is
older than any answer that is given inside of it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from chatledger.clock import Clock
from chatledger.database import Database, ReadBlock
from chatledger.dialects import dialect_of, parse_url
from chatledger.errors import Busy, InvalidInput, Unavailable
from chatledger.settings import Settings

U = TypeVar("U")

logger = logging.getLogger("chatledger")

# How long a replica is left alone after it could not be reached, in seconds: each attempt may take as long as
# connect_timeout.
_REST = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.01

_POSITION = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_VERIFIED = "chatledger_replica_verified"


def checked_position(given: str | None) -> str | None:
    """A position that `Ledger.position` has returned, or None.

    Raises:
        InvalidInput: it is something else.
    """
    if given is not None and not _POSITION.fullmatch(given if type(given) is str else ""):
        raise InvalidInput("after", "must be what ledger.position() returned")
    return given


def _newest(*positions: str | None) -> str:
    def offset(position: str) -> tuple[int, int]:
        high, low = position.split("/")
        return int(high, 16), int(low, 16)

    return max((position for position in positions if position is not None), key=offset)


class Replica(Database):
    """The database of the reader. Transactions on it wait until a position has been replayed."""

    def __init__(self, url: str | Path | URL, settings: Settings, clock: Clock, wait: float) -> None:
        self.given_url = parse_url(url)
        dialect = dialect_of(self.given_url.get_backend_name())
        super().__init__(dialect.reader_url(self.given_url), None, settings, clock)
        self._wait = wait
        self._rests_until = 0.0
        self._identity: tuple[Any, ...] | None = None

    @property
    def is_resting(self) -> bool:
        """Whether it could not be reached a moment ago."""
        return time.monotonic() < self._rests_until

    def rest(self, error: Unavailable) -> None:
        """Leave it alone for a moment, because it cannot be reached."""
        self._rests_until = time.monotonic() + _REST
        logger.warning("the replica cannot be used: reading from the primary", extra={"reason": str(error)})

    def expect(self, identity: tuple[Any, ...]) -> None:
        """Accept only replicas of the server, database and schema that `identity` names."""
        self._identity = identity

    def wait_for(self, connection: Connection, position: str) -> None:
        """Wait until the replica has replayed a position. Called before the transaction begins.

        Raises:
            Busy: it has not done so after the time of `reader_wait`.
            InvalidInput: it is not a replica of the ledger's database.
        """
        if _VERIFIED not in connection.info:
            self.verify(connection)
        deadline, pause = time.monotonic() + self._wait, _FIRST_PAUSE
        while not self.dialect.has_replayed(connection, position):
            left = deadline - time.monotonic()
            if left <= 0:
                raise Busy("the replica has not replayed the last commit yet")
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def verify(self, connection: Connection) -> None:
        """Refuse a connection to a server that is not a replica of the ledger's."""
        found = self.dialect.maintenance.lasting_identity(connection)
        connection.rollback()
        if found != self._identity:
            raise InvalidInput("reader", "is not a replica of the ledger's database: positions mean nothing there")
        connection.info[_VERIFIED] = True


class ReplicatedDatabase(Database):
    """A database with a replica to read from.

    Raises:
        InvalidInput: the reader's URL is not valid, or is a SQLite file.
    """

    def __init__(
        self, url: str | Path | URL, engine: Engine | None, settings: Settings, clock: Clock, replica: Replica
    ) -> None:
        super().__init__(url, engine, settings, clock)
        self.replica = replica
        replica.observers = self.observers
        self.observers.watch(replica.engine)
        # A commit, and a position at or after it. Nothing is known before it was asked once: a ledger that was just
        # migrated is not read from a replica without its tables.
        self._known: tuple[object, str] = (object(), "0/0")

    def open_replica(self) -> None:
        """Look whether the reader is a replica of this database. One that cannot be reached may come later.

        Raises:
            InvalidInput: it is not.
        """
        if self.dialect is not self.replica.dialect:
            raise InvalidInput("reader", "is another kind of database than the ledger's")
        with self.transaction("read") as connection, self.translated():
            self.replica.expect(self.dialect.maintenance.lasting_identity(connection))
        try:
            with self.replica.transaction("read") as connection, self.replica.translated():
                self.replica.verify(connection)
        except Unavailable as error:
            self.replica.rest(error)

    def position(self) -> str:
        """The position of the last commit of this ledger, or a later one."""
        commit = self.last_commit  # before the question: what is committed meanwhile is not known then
        known, position = self._known
        if commit is known:
            return position
        asked = super().position()
        assert asked is not None
        self._known = commit, asked
        return asked

    def reading(self, make: Callable[[Database], ReadBlock[U]], after: str | None = None) -> ReadBlock[U]:
        return _ReplicaFirst(self, make, after)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.replica.close()


class _ReplicaFirst(ReadBlock[U]):
    """A reading transaction on the replica, or on the primary if the replica is away or behind."""

    def __init__(
        self, database: ReplicatedDatabase, make: Callable[[Database], ReadBlock[U]], after: str | None
    ) -> None:
        self._database = database
        self._make = make
        self.after = after

    def __enter__(self) -> U:
        replica = self._database.replica
        if not replica.is_resting and not self._database.is_closed:
            position = _newest(self._database.position(), self.after)
            block = self._make(replica)
            block.after = position
            try:
                found = block.__enter__()
            except Unavailable as error:
                replica.rest(error)
            except Busy:
                pass
            else:
                self._block = block
                return found
        self._block = self._make(self._database)
        return self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, trace)
