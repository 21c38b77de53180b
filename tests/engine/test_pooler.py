"""Behind PgBouncer in transaction mode, where each transaction may have another connection to the server."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from chatledger import AsyncLedger, Busy, InvalidInput, Ledger, Settings
from chatledger.cli.open_ledger import opened
from tests.faults.truth import numbered_messages
from tests.support.flavors import open_ledger
from tests.support.postgres import Server

_SERVER_CONNECTIONS = 3
_CLIENTS, _TRANSACTIONS = 8, 125


@pytest.fixture(scope="module")
def pooler(postgres_server: Server) -> Iterator[int]:
    """The port of a PgBouncer with few connections to the tests' server."""
    command = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if command is None:
        pytest.skip("needs pgbouncer")
    server = make_url(postgres_server.url)
    host = server.host or server.query.get("host", "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pgbouncer.ini"
        password = f" password={server.password}" if server.password else ""
        settings.write_text(
            f"[databases]\n* = host={host} port={server.port or 5432} user={server.username}{password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {_SERVER_CONNECTIONS}\nmax_client_conn = 100\n",
            "utf-8",
        )
        Path(folder).chmod(0o755)
        # It refuses to run as root.
        user = postgres_server.system_user if getpass.getuser() == "root" else None
        process = subprocess.Popen([command, "-q", str(settings)], user=user, stderr=subprocess.DEVNULL)
        try:
            _wait_until_it_answers(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def pooled_url(pooler: int, migrated_postgres_url: str) -> str:
    return _through(pooler, migrated_postgres_url)


def _through(port: int, url: str) -> str:
    database = make_url(url).database
    return f"postgresql://{make_url(url).username}@127.0.0.1:{port}/{database}"


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "pgbouncer has ended"
            assert time.monotonic() < give_up
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("flavor", ["sync", "async"])
def test_a_thousand_transactions_of_eight_clients_all_succeed(
    pooled_url: str, migrated_postgres_url: str, flavor: str
) -> None:
    with Ledger(pooled_url, preset="pooler") as ledger:
        ledger.create("s")

    def write(client: int) -> None:
        with open_ledger(flavor, pooled_url, preset="pooler") as ledger:
            for number in range(_TRANSACTIONS):
                content = f"{client} {number}"
                if number % 5 == 0:
                    with ledger.begin() as uow:
                        uow.messages.append("s", "user", content, input_tokens=1)
                elif number % 5 == 1:
                    ledger.run(lambda uow, content=content: uow.messages.append("s", "user", content, input_tokens=1))  # type: ignore[misc]
                elif number % 5 == 2:
                    ledger.append("s", "user", content, input_tokens=1)
                elif number % 5 == 3:
                    ledger.append_many("s", [{"role": "user", "content": content, "input_tokens": 1}])
                else:
                    ledger.append("s", "user", content, input_tokens=1)
                    with ledger.read() as uow:
                        assert uow.search.messages(content).items

    with ThreadPoolExecutor(_CLIENTS) as clients:
        for client in [clients.submit(write, client) for client in range(_CLIENTS)]:
            client.result()
    assert _CLIENTS * _TRANSACTIONS == len(numbered_messages(migrated_postgres_url, "s"))
    with psycopg.connect(migrated_postgres_url) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        (used,) = connection.execute(query).fetchone() or (0,)
    assert 0 < used <= _SERVER_CONNECTIONS


def test_an_empty_database_is_migrated_once_however_many_open_it(pooler: int, postgres_url: str) -> None:
    url = _through(pooler, postgres_url)
    together = threading.Barrier(4)

    def begin() -> str | None:
        together.wait()
        with Ledger(url, preset="pooler") as ledger:
            return ledger.current()

    with ThreadPoolExecutor(4) as openers:
        revisions = {opener.result() for opener in [openers.submit(begin) for _ in range(4)]}
    assert 1 == len(revisions)
    with Ledger(postgres_url) as ledger:
        assert ledger.check().ok


def test_an_interrupt_reaches_the_statement_of_its_own_transaction(pooled_url: str) -> None:
    with Ledger(pooled_url, preset="pooler") as ledger:
        ledger.create("s")
        with pytest.raises(Busy), ledger.begin() as uow:  # noqa: PT012 - the whole block is undone
            uow.messages.append("s", "user", "undone")
            timer = threading.Timer(0.2, uow.interrupt)
            timer.start()
            with ledger._database.translated():
                uow.session.execute(text("SELECT pg_sleep(60)"))
        timer.join()
        assert 1 == ledger.append("s", "user", "kept").sequence_number


def test_the_environment_turns_prepared_statements_off(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(ledger: Ledger) -> int:
        with ledger.begin() as uow:
            driver = uow.session.connection().connection.dbapi_connection
        return getattr(driver, "prepare_threshold") or 0  # noqa: B009 - the driver's own, which has no type

    url = migrated_postgres_url
    with Ledger(url) as ledger:
        assert prepared(ledger)
    monkeypatch.setenv("CHATLEDGER_PREPARED_STATEMENTS", "false")
    with Ledger(url) as ledger:
        assert not prepared(ledger)
    with opened(url) as ledger:
        assert not prepared(ledger)
    for options in ({"prepared_statements": True}, {"preset": "web"}, {"settings": Settings()}):
        with Ledger(url, **options) as ledger:
            assert prepared(ledger)
    monkeypatch.setenv("CHATLEDGER_PREPARED_STATEMENTS", "maybe")
    with pytest.raises(InvalidInput, match="CHATLEDGER_PREPARED_STATEMENTS"):
        Ledger(url)


def test_a_shared_ledger_limits_the_connections_of_its_process(migrated_postgres_url: str) -> None:
    url, settings = migrated_postgres_url, Settings(pool_size=2, max_overflow=1)
    lock, is_open, most = threading.Lock(), 1, 1

    def note(change: int) -> None:
        nonlocal is_open, most
        with lock:
            is_open += change
            most = max(most, is_open)

    async def append(content: str) -> None:
        async with AsyncLedger.shared(url, settings=settings) as ledger:
            await ledger.append("s", "user", content)

    def use(number: int) -> None:
        if number % 2:
            asyncio.run(append(f"message {number}"))
            return
        with Ledger.shared(url, settings=settings) as ledger:
            ledger.append("s", "user", f"message {number}")

    with Ledger.shared(url, settings=settings) as first:
        event.listen(first.engine, "connect", lambda *_: note(1))
        event.listen(first.engine, "close", lambda *_: note(-1))
        first.create("s")
        with ThreadPoolExecutor(12) as users:
            for user in [users.submit(use, number) for number in range(60)]:
                user.result()
        assert 60 == first.view(lambda uow: uow.sessions.get("s").message_count)
    assert 1 < most <= 3
