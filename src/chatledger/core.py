"""The engine of a ledger and the one way into a transaction on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlalchemy import exc as sa
from sqlalchemy.engine import URL

from chatledger import migrate as migrations
from chatledger.clock import Clock
from chatledger.dialects import dialect_of, parse_url
from chatledger.dialects.base import Mode
from chatledger.errors import ChatledgerError, LedgerClosed
from chatledger.settings import Settings


class Core:
    """What a ledger and its views for single users share."""

    def __init__(self, url: str | URL, engine: Engine | None, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.settings = settings
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
            self.engine = self.dialect.adopt_engine(engine, settings)
        self._views = {mode: self.engine.execution_options(**self.dialect.options(mode)) for mode in ("read", "write")}

    def open(self, migrate: Literal["empty", "always", "never"]) -> None:
        """Look at the database once, and migrate it where that was asked for."""
        if self._own:
            self.dialect.prepare(self.url)
        if migrate == "never":
            return
        with self.transaction("read") as connection:
            state = self.dialect.state(connection)
        if state.revision == migrations.HEAD:
            return
        if state.empty or migrate == "always":
            with self.translated():
                migrations.upgrade(self.engine, dialect=self.dialect)
            return
        migrations.require_head(state)

    @contextmanager
    def transaction(self, mode: Mode) -> Iterator[Connection]:
        """A connection in a transaction of a mode: committed at the end of the block, rolled back on any error."""
        if self._closed:
            raise LedgerClosed
        # The turn comes before the connection: those who wait for it hold none.
        with self.dialect.gate(self.engine, self.settings) if mode == "write" else nullcontext():
            connection = self._begin(mode)
            try:
                yield connection
                with self.translated():
                    connection.commit()
            except sa.SQLAlchemyError as error:
                failure: BaseException | None = self._ours(error)
            else:
                failure = None
            finally:
                self._end(connection)
        if failure is not None:
            raise failure

    def _begin(self, mode: Mode) -> Connection:
        with self.translated():
            connection = self._views[mode].connect()
            try:
                connection.begin()
            except BaseException:
                connection.close()
                raise
        return connection

    def _end(self, connection: Connection) -> None:
        """Give the connection back. Closing it rolls back what was not committed."""
        try:
            connection.close()
        except Exception:  # noqa: BLE001 - the outcome is known; a connection that cannot be closed is thrown away
            connection.invalidate()

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

    def _ours(self, error: sa.SQLAlchemyError) -> BaseException:
        """An error of a caller's own statement: ours where it says what to do, else as it is."""
        translated = self.dialect.translate(error)
        return error if type(translated) is ChatledgerError else translated

    def close(self) -> None:
        """Refuse new transactions and close the pool, unless it is the application's."""
        self._closed = True
        if self._own:
            self.engine.dispose()
