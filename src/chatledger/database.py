"""The engine of a ledger and the one way into a transaction on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import get_ident
from time import monotonic, perf_counter
from types import TracebackType
from typing import Literal, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from chatledger import migrate as migrations
from chatledger.clock import Clock
from chatledger.dialects import dialect_of, parse_url
from chatledger.dialects.base import Mode
from chatledger.errors import (
    Busy,
    ChatledgerError,
    CommitUnknown,
    LedgerClosed,
    NestedWrite,
    NotALedger,
    OutOfSpace,
    Unavailable,
)
from chatledger.observers import Observers
from chatledger.settings import Durability, Settings

# The writing transactions that the running code is inside of. Not by thread alone: frameworks enter a block in one
# thread of a pool and leave it in another, and use the first thread for another request meanwhile.
_writing: ContextVar[tuple[BaseTransaction, ...]] = ContextVar("chatledger_writing", default=())
# How many are remembered, on as many databases; one that is left in another context is never taken out.
_REMEMBERED = 8

C = TypeVar("C")
U = TypeVar("U")
U_co = TypeVar("U_co", covariant=True)


class ReadBlock(Protocol[U_co]):
    """A block that reads in one transaction."""

    after: str | None
    """The position that a replica must have replayed."""

    def __enter__(self) -> U_co: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Database:
    """What a ledger and its views for single users share."""

    def __init__(self, url: str | Path | URL, engine: Engine | None, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.settings = settings
        # Whether it has committed anything. Who only looks, as a check does, leaves the file as it is.
        self.has_written = False
        # Another object after each transaction that may have committed something, or failed to.
        self.last_commit: object = None
        self._closed = False
        self._own = engine is None
        if engine is None:
            self.url = parse_url(url)
            self.dialect = dialect_of(self.url.get_backend_name())
            with self.translated():
                self.engine = self.dialect.create_engine(self.url, settings)
        else:
            self.url = engine.url
            self.dialect = dialect_of(engine.dialect.name)
            self.engine = engine
        # Whether row-level security limits our role; None until a transaction of a user has asked.
        self._is_limited = self.dialect.is_limited(None)
        self.observers = Observers(self.engine)
        self.writer_queue = self.dialect.writer_queue(self.url, settings.busy_timeout)
        self.connection_slots = self.dialect.connection_slots(settings) if self._own else None

    def open(self, migrate: Literal["empty", "always", "check", "never"], *, create: bool = True) -> None:
        """Look at the database once, and migrate it where that was asked for.

        Raises:
            NotALedger: there is nothing, and nothing is to be created.
        """
        path = self.dialect.file(self.url)
        forbidding = "`create` is False"
        if migrate == "check":
            create, forbidding = False, "`migrate` is 'check'"
        if not create and path is not None and not path.exists():
            raise NotALedger(f"no ledger at {str(path)!r}, and {forbidding}: check the path")
        if self._own:
            self.dialect.prepare(self.url)
        if migrate == "never" and create:
            return
        with self.transaction("read") as connection, self.translated():
            state = self.dialect.state(connection)
            if not state.empty:
                self._is_limited = self.dialect.is_limited(connection)
        if state.empty and not create:
            raise NotALedger(f"the database is empty, and {forbidding}: check the URL")
        if migrate == "never":
            return
        if state.revision == migrations.HEAD and not state.is_unreleased:
            return
        if state.empty or migrate == "always":
            with self.translated():
                migrations.upgrade(self.engine, dialect=self.dialect)
            return
        migrations.require_head(state)

    def transaction(self, mode: Mode, user_id: str | None = None) -> Transaction:
        """A connection in a transaction of a mode: committed at the end of the block, rolled back on any error."""
        return Transaction(self, mode, user_id)

    def reading(self, make: Callable[[Database], ReadBlock[U]], after: str | None = None) -> ReadBlock[U]:  # noqa: ARG002 - for a replica
        """A reading transaction, made by `make` for the database that is read from: this one, or its replica if it has
        replayed all commits of this ledger and the position `after`.
        """
        return make(self)

    def position(self) -> str | None:
        """The position of the server's log, at or after every commit so far. None for a file."""
        with self.translated():
            return self.dialect.position(self._connection_for_reading)

    @contextmanager
    def _connection_for_reading(self) -> Iterator[Connection]:
        connection = self.take(self.engine.connect, writing=False)
        try:
            yield connection
        finally:
            try:
                connection.close()
            finally:
                self.leave(writing=False)

    def wait_for(self, connection: Connection, position: str) -> None:
        """Wait until a position can be read, which here is at once. Called before the transaction begins."""

    def refuse_nested(self) -> None:
        """Raise NestedWrite inside a writing transaction of this thread on this database.

        It would wait for what the outer one has locked: on SQLite for the only lock there is, elsewhere for the
        session.
        """
        outer = _writing.get()
        if not outer:
            return
        thread = get_ident()
        if any(one._thread == thread and one._database is self for one in outer):
            raise NestedWrite

    def take(self, connect: Callable[[], C], *, writing: bool, brief: bool = False) -> C:
        """Wait for the writer's turn, if there is one to wait for, and for a connection. `leave` makes way again.

        `brief`: for a single statement.

        Raises:
            Busy, Unavailable: neither turn nor connection is held.
        """
        turn = seated = False
        since = monotonic()
        try:
            # The turn comes before the connection: those who wait for it hold none.
            if writing:
                if brief:
                    self.writer_queue.enter_briefly()
                else:
                    self.writer_queue.__enter__()
                turn = True
            if self.connection_slots is not None:
                if not self.connection_slots.take():
                    wait = self.settings.pool_timeout
                    self.connection_slots.acquire(self.writer_queue.connection_wait(since, wait) if turn else wait)
                seated = True
            connection = connect()
            if turn:
                self.writer_queue.connected()
            return connection
        except BaseException as error:
            if seated and self.connection_slots is not None:
                self.connection_slots.release()
            if turn:
                self.writer_queue.__exit__(None, None, None)
            if isinstance(error, ChatledgerError) or not self.dialect.recognises(error):
                raise
            failure = self.dialect.translate(error)
        raise failure

    def leave(self, *, writing: bool) -> None:
        """Make way for the next one, after the connection was given back."""
        if writing:
            self.last_commit = object()
        if self.connection_slots is not None:
            self.connection_slots.release()
        if writing:
            self.writer_queue.__exit__(None, None, None)

    def name_user(self, connection: Connection, user_id: str) -> None:
        """Tell a server whose policies limit our role which user this transaction is for."""
        if self._is_limited is False:
            return
        with self.translated():
            if self._is_limited is None:
                self._is_limited = self.dialect.is_limited(connection)
            if self._is_limited:
                self.dialect.set_user(connection, user_id)

    @property
    def may_be_limited(self) -> bool:
        """Whether transactions of a user have to name it, for all that is known."""
        return self._is_limited is not False

    @property
    def is_own(self) -> bool:
        """Whether the engine is ours, and not one that an application has handed in."""
        return self._own

    @contextmanager
    def translated(self) -> Iterator[None]:
        """A driver's error becomes one of ours, not chained to it: the driver repeats values."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ChatledgerError) or not self.dialect.recognises(error):
                raise
            failure = self.dialect.translate(error)
        else:
            return
        raise failure

    def remove_deleted_content(self) -> bool:
        """Rewrite the database so that deleted text is gone. Return whether that was possible."""
        with self.writer_queue, self.translated():
            return self.dialect.maintenance.remove_deleted_content(self.engine, self.settings.busy_timeout)

    def catch_up_index(self) -> None:
        """Bring the full-text index up to date where it follows behind the appends, if that can be done at once.

        Nobody waits for it, and no search depends on it: if somebody else is writing, or the database can only be read,
        the index stays behind. An application's own pool is left alone, because it may have to be waited for.
        """
        if self._own:
            with suppress(ChatledgerError), self.translated():
                self.dialect.catch_up_index(self._connection_at_once)

    @contextmanager
    def _connection_at_once(self) -> Iterator[Connection]:
        """A connection that may write, without waiting for anybody.

        Raises:
            Busy: another writer has the turn, or there is no free connection.
        """
        if not self.writer_queue.try_enter():
            raise Busy("another unit of work is writing")
        slots = self.connection_slots
        try:
            if slots is not None and not slots.take():
                raise Busy("every connection is in use")
            try:
                with self.engine.connect() as connection:
                    yield connection
            finally:
                if slots is not None:
                    slots.release()
        finally:
            self.writer_queue.__exit__(None, None, None)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Refuse new transactions and close the pool, unless it is the application's."""
        try:
            if self.has_written and not self._closed:
                self.catch_up_index()
        finally:
            self._closed = True
            if self._own:
                self.engine.dispose()


class BaseTransaction:
    """One transaction from its beginning to its end, without a name for what it yields.

    A class, for a generator would cost each append as much again.
    """

    __slots__ = (
        "_asked",
        "_began",
        "_connection",
        "_database",
        "_durability",
        "_observers",
        "_thread",
        "_writing",
        "after",
    )

    _connection: Connection
    _asked: float
    _began: float

    def __init__(self, database: Database, mode: Mode, durability: Durability | None = None) -> None:
        if database.is_closed:
            raise LedgerClosed
        self._database = database
        self._writing = mode != "read"
        self._durability = durability
        # The thread that began to write, until the end.
        self._thread: int | None = None
        # Whoever is not observed does not pay for it.
        self._observers = database.observers or None
        # The position that a replica must have replayed.
        self.after: str | None = None

    def begin(self) -> Connection:
        """Wait for the turn and a connection, and begin."""
        if self._observers is None:
            return self._begin()
        self._asked = perf_counter()
        try:
            connection = self._begin()
        except BaseException as error:
            self._began = perf_counter()
            if self.after is None:  # else the primary is asked next
                self._notify("busy" if isinstance(error, Busy) else "failed")
            raise
        self._began = perf_counter()
        return connection

    def end(self, error: BaseException | None) -> None:
        """Commit, or roll back if there was an error, and give everything back."""
        if self._observers is None:
            self._end(error)
            return
        try:
            self._end(error)
        except BaseException as broken:
            self._notify("busy" if isinstance(broken, Busy) else "failed")
            raise
        self._notify("committed" if error is None else "rolled back")

    def _begin(self) -> Connection:
        database = self._database
        dialect = database.dialect
        if self._writing:
            database.refuse_nested()
        connection = database.take(database.engine.connect, writing=self._writing)
        self._connection = connection
        try:
            if self.after is not None:
                database.wait_for(connection, self.after)
            mode: Mode = "write" if self._writing else "read"
            dialect.begin(connection, mode, database.settings.busy_timeout, self._durability)
            if self._writing:
                self._remember()
            return connection
        except BaseException as error:
            try:
                self._give_back()
            finally:
                database.leave(writing=self._writing)
            if isinstance(error, ChatledgerError) or not dialect.recognises(error):
                raise
            failure = dialect.translate(error)
        raise failure

    def _remember(self) -> None:
        self._thread = get_ident()
        _writing.set((*_writing.get()[1 - _REMEMBERED :], self))

    def _forget(self) -> None:
        self._thread = None
        inside = _writing.get()
        if inside:
            _writing.set(tuple(one for one in inside if one._thread is not None))

    def _end(self, error: BaseException | None) -> None:
        dialect = self._database.dialect
        failure: ChatledgerError | None = None
        try:
            # A reader has nothing to commit. What a caller's own statement raised stays as it is: it may be another
            # database's.
            if error is None and self._writing:
                if self._connection.in_transaction():
                    self._database.has_written = True
                self._connection.commit()
            elif error is None:
                with suppress(SQLAlchemyError):  # everything has been read
                    dialect.end_read(self._connection)
        except Exception as broken:
            if not dialect.recognises(broken):
                raise
            failure = dialect.translate(broken)
            if isinstance(failure, Unavailable) and not isinstance(failure, OutOfSpace):
                failure = CommitUnknown(failure.code)
        finally:
            if self._writing:
                self._forget()
            self._give_back()
            self._database.leave(writing=self._writing)
        if failure is not None:
            raise failure from None

    def _give_back(self) -> None:
        """Roll back what was not committed and return the connection to its pool."""
        connection = self._connection
        try:
            if connection.in_transaction():
                connection.rollback()
            if not connection.invalidated:
                self._database.dialect.end(connection)
            connection.close()
        except BaseException as error:
            # The outcome is known: a connection that cannot be closed, or whose closing is interrupted, is thrown away.
            connection.invalidate()
            connection.close()
            if not isinstance(error, Exception):
                raise

    def _notify(self, outcome: str) -> None:
        mode = "write" if self._writing else "read"
        waited, seconds = self._began - self._asked, perf_counter() - self._began
        self._database.observers.notify("transaction", mode, outcome, waited, seconds)


class Transaction(BaseTransaction):
    """A transaction that yields its connection, of a user where one is given."""

    __slots__ = ("_user_id",)

    def __init__(self, database: Database, mode: Mode, user_id: str | None = None) -> None:
        super().__init__(database, mode)
        self._user_id = user_id

    def __enter__(self) -> Connection:
        connection = self.begin()
        if self._user_id is not None:
            try:
                self._database.name_user(connection, self._user_id)
            except BaseException as error:
                self.end(error)
                raise
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)
