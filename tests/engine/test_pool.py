"""The pool: its figures, what happens when it is exhausted, and that nothing leaks."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chatledger import Busy, ChatledgerError, InvalidInput, Ledger, ReadOnly, SessionNotFound, Settings
from tests.support.raw import Raw

_SMALL = Settings(pool_size=1, max_overflow=1, pool_timeout=0.3)


def test_pool_status_tells_what_is_open_in_use_and_idle(url: str) -> None:
    with closing(Ledger(url, settings=Settings(pool_size=2, max_overflow=3))) as ledger:
        assert {"size": 2, "max": 5} == {name: ledger.pool_status()[name] for name in ("size", "max")}
        with ledger.read(), ledger.read():
            assert (2, 2, 0) == _figures(ledger)
            with ledger.read():
                assert (3, 3, 0) == _figures(ledger)
        status = ledger.pool_status()
        assert 0 == status["in_use"]
        assert 2 == status["open"] == status["idle"]


def test_an_exhausted_pool_is_busy_within_its_timeout_and_leaks_nothing(url: str) -> None:
    with closing(Ledger(url, settings=_SMALL)) as ledger:
        for _ in range(3):
            with ledger.read(), ledger.read():
                began = time.monotonic()
                with pytest.raises(Busy, match="pool"), ledger.read():
                    pass
                assert 0.25 < time.monotonic() - began < 5
                with pytest.raises(Busy, match="pool"), ledger.begin():
                    pass
        assert 0 == ledger.pool_status()["in_use"]
        with ledger.read(), ledger.read():
            pass
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_one_who_waits_gets_the_connection_that_is_given_back(url: str) -> None:
    with closing(Ledger(url, settings=Settings(pool_size=1, max_overflow=0, pool_timeout=10))) as ledger:
        inside, got = threading.Event(), []

        def hold() -> None:
            with ledger.read():
                inside.set()
                time.sleep(0.3)

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait(5)
        with ledger.read() as uow:
            got.append(uow.sessions.find("nobody"))
        thread.join()
        assert [None] == got


def test_blocks_that_fail_give_their_connection_back(url: str) -> None:
    with closing(Ledger(url, settings=_SMALL)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        for _ in range(10):
            with pytest.raises(SessionNotFound), ledger.begin() as uow:
                uow.messages.append("nobody", "user", "x")
            with pytest.raises(InvalidInput), ledger.read() as uow:
                uow.messages.history("s", last=-1)
            with pytest.raises(ReadOnly), ledger.read() as uow:
                uow.messages.append("s", "user", "x")
            with pytest.raises(KeyError), ledger.begin() as uow:  # noqa: PT012 - the whole block is undone
                uow.messages.append("s", "user", "x")
                raise KeyError
            with pytest.raises((ChatledgerError, SQLAlchemyError)), ledger.begin() as uow:
                uow.session.execute(text("SELECT nonsense"))
        assert 0 == ledger.pool_status()["in_use"]
        assert 1 == ledger.run(lambda uow: uow.messages.append("s", "user", "x")).sequence_number


def test_no_connection_is_left_idle_in_a_transaction(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        for _ in range(3):
            with ledger.read(), ledger.read() as uow:
                uow.messages.history("s")
            with pytest.raises(KeyError), ledger.begin() as uow:  # noqa: PT012 - the whole block is undone
                uow.messages.append("s", "user", "x")
                raise KeyError
        found = Raw(url)(
            "SELECT state, count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'chatledger' GROUP BY state"
        )
        assert ["idle"] == [row[0] for row in found]


def test_closing_gives_every_connection_back(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    ledger = Ledger(url)
    with ledger.read(), ledger.read():
        pass
    ledger.close()
    ledger.close()
    deadline = time.monotonic() + 5
    while _connections(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 0 == _connections(url)


def _connections(url: str) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'chatledger'"
    )
    return int(Raw(url)(query)[0][0])


def _figures(ledger: Ledger) -> tuple[int, int, int]:
    status = ledger.pool_status()
    return status["open"], status["in_use"], status["idle"]
