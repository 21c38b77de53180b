"""A ledger with a reader never shows a writer its own past, and reads from the primary when the reader cannot be used."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from chatledger import ConnectionFailed, InvalidInput, Ledger, ReadOnly, Settings
from chatledger.cli.open_ledger import opened
from chatledger.exchange import export_sessions
from chatledger.report import write_report
from chatledger.unit_of_work import UnitOfWork
from tests.support.flavors import open_ledger
from tests.support.postgres import Server
from tests.support.replication import Pair, running_pair

_PRIMARY, _REPLICA = "primary", "replica"


@pytest.fixture(scope="module")
def one_pair() -> Iterator[Pair]:
    with running_pair() as pair:
        Ledger(pair.url(pair.primary)).close()
        yield pair


@pytest.fixture
def pair(one_pair: Pair) -> Iterator[Pair]:
    """The pair of this module, with an empty ledger."""
    one_pair.execute(one_pair.primary, "DELETE FROM chatledger_sessions")
    one_pair.catch_up()
    yield one_pair
    one_pair.execute(one_pair.standby, "SELECT pg_wal_replay_resume()")


def _place(uow: UnitOfWork) -> str:
    standby = uow.session.execute(text("SELECT pg_is_in_recovery()")).scalar()
    return _REPLICA if standby else _PRIMARY


def _wait_for_replica(ledger: Ledger, after: str | None = None) -> None:
    """Wait until the ledger reads from the replica, which it then does until somebody commits."""
    give_up = time.monotonic() + 60
    while ledger.view(_place, after=after) != _REPLICA:
        assert time.monotonic() < give_up, "the replica is not read"


def _pause(pair: Pair) -> None:
    pair.execute(pair.standby, "SELECT pg_wal_replay_pause()")
    pair.wait_for(pair.standby, "SELECT 1 WHERE pg_get_wal_replay_pause_state() = 'paused'")


def _opened(pair: Pair, flavor: str, wait: float = 30.0) -> AbstractContextManager[Ledger]:
    return open_ledger(flavor, pair.url(pair.primary), reader=pair.url(pair.standby), reader_wait=wait)


def test_a_writer_always_reads_what_it_wrote_on_the_replica(pair: Pair, flavor: str) -> None:
    places = set()
    with _opened(pair, flavor) as ledger:
        ledger.create("s")
        for number in range(1, 60):
            if number % 3:
                ledger.append("s", "user", f"message {number}")
            else:
                ledger.run(lambda uow, number=number: uow.messages.append("s", "user", f"message {number}"))  # type: ignore[misc]
            count, place = ledger.view(lambda uow: (uow.sessions.get("s").message_count, _place(uow)))
            assert number == count
            places.add(place)
    assert {_REPLICA} == places


def test_a_replica_that_is_behind_is_not_read(pair: Pair, flavor: str) -> None:
    with _opened(pair, flavor, wait=0.01) as ledger:
        ledger.create("s")
        _wait_for_replica(ledger)
        _pause(pair)
        # What it has is enough, as long as this ledger writes nothing.
        assert _REPLICA == ledger.view(_place)
        ledger.append("s", "user", "Where to in May?")
        with ledger.read() as uow:
            assert 1 == uow.sessions.get("s").message_count
        assert _PRIMARY == ledger.view(_place)
        pair.execute(pair.standby, "SELECT pg_wal_replay_resume()")
        _wait_for_replica(ledger)
        assert (_REPLICA, 1) == ledger.view(lambda uow: (_place(uow), uow.sessions.get("s").message_count))


def test_a_position_carries_over_to_another_process(pair: Pair, flavor: str) -> None:
    with Ledger(pair.url(pair.primary)) as writer, _opened(pair, flavor, wait=0.01) as reader:
        writer.create("s")
        pair.catch_up()
        _wait_for_replica(reader)
        _pause(pair)
        writer.append("s", "user", "Where to in May?")
        position = writer.position()
        assert (_REPLICA, 0) == reader.view(lambda uow: (_place(uow), uow.sessions.get("s").message_count))
        found = reader.view(lambda uow: (_place(uow), uow.sessions.get("s").message_count), after=position)
        assert (_PRIMARY, 1) == found
        with reader.read(after=position) as uow:
            assert 1 == uow.sessions.get("s").message_count
        pair.execute(pair.standby, "SELECT pg_wal_replay_resume()")
        _wait_for_replica(reader, after=position)
        found = reader.view(lambda uow: (_place(uow), uow.sessions.get("s").message_count), after=position)
        assert (_REPLICA, 1) == found


def test_statistics_and_backups_come_from_the_replica(pair: Pair, tmp_path: Path) -> None:
    with _opened(pair, "sync") as ledger:
        ledger.create("s")
        ledger.append("s", "user", "Where to in May?", input_tokens=3)
        asked: list[str] = []
        event.listen(ledger.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        with ledger.read() as uow:
            assert 1 == uow.statistics.overview().messages
        ledger.backup(tmp_path / "backup.db")
        export_sessions(ledger, io.StringIO(), format="jsonl")
        write_report(ledger, io.StringIO())
        assert ledger.for_user("ada").view(_place) == _REPLICA
        assert [] == asked
    with Ledger(tmp_path / "backup.db") as backup, backup.read() as uow:
        assert 1 == uow.sessions.get("s").message_count


def test_a_write_in_a_reading_block_is_refused_on_the_replica(pair: Pair) -> None:
    with _opened(pair, "sync") as ledger:
        with pytest.raises(ReadOnly), ledger.read() as uow:
            uow.sessions.create("s")
        with ledger.begin() as uow:
            uow.sessions.create("s")
            assert _PRIMARY == _place(uow)


def test_a_replica_that_is_away_is_left_alone(pair: Pair, flavor: str, caplog: pytest.LogCaptureFixture) -> None:
    with open_ledger(flavor, pair.url(pair.primary), reader="postgresql://postgres@127.0.0.1:1/postgres") as ledger:
        ledger.create("s")
        for _ in range(5):
            assert _PRIMARY == ledger.view(_place)
    told = [record for record in caplog.records if "replica" in record.message]
    assert 1 == len(told)


def test_what_is_not_a_replica_is_refused(pair: Pair, postgres_server: Server, migrated_sqlite_url: str) -> None:
    for reader in (postgres_server.url, migrated_sqlite_url):
        with pytest.raises(InvalidInput, match="reader"):
            Ledger(pair.url(pair.primary), reader=reader)
    with pytest.raises(InvalidInput, match="reader"):
        Ledger(migrated_sqlite_url, reader=migrated_sqlite_url)
    with pytest.raises(InvalidInput, match="reader"):
        Ledger(migrated_sqlite_url, reader=pair.url(pair.standby))
    with pytest.raises(InvalidInput, match="reader_wait"):
        Ledger(pair.url(pair.primary), reader=pair.url(pair.standby), reader_wait=-1)


def test_a_ledger_that_has_written_nothing_since_reads_on_without_the_primary() -> None:
    settings = Settings(retry_timeout=0)
    with (
        running_pair() as pair,
        Ledger(pair.url(pair.primary), reader=pair.url(pair.standby), settings=settings, reader_wait=30) as ledger,
    ):
        ledger.create("s")
        assert _REPLICA == ledger.view(_place)
        pair.kill_primary()
        assert _REPLICA == ledger.view(_place)
        with pytest.raises(ConnectionFailed):
            ledger.run(lambda uow: uow.sessions.create("t"))


def test_commands_read_from_the_reader_of_the_environment(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(pair.url(pair.primary)) as ledger:
        ledger.create("s")
    monkeypatch.setenv("CHATLEDGER_URL", pair.url(pair.primary))
    monkeypatch.setenv("CHATLEDGER_READER", pair.url(pair.standby))
    with opened(None) as ledger:
        assert ledger.view(lambda uow: uow.sessions.get("s")).session_id == "s"
        assert str(ledger.reader).endswith(pair.standby.name)
    with opened(pair.url(pair.primary)) as ledger:
        assert ledger.reader is None


def test_positions_of_a_ledger_without_a_reader(any_ledger: Ledger, backend: str) -> None:
    any_ledger.create("s")
    position = any_ledger.position()
    assert (position is None) == (backend == "sqlite")
    assert 0 == any_ledger.view(lambda uow: uow.sessions.get("s").message_count, after=position)
    for wrong in ("", "1", "0/x", "0/0'", 5):
        with pytest.raises(InvalidInput, match="after"), any_ledger.read(after=wrong):  # type: ignore[arg-type] # that is the point
            pass
