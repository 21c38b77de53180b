"""A server's connection prepares what it is asked often: the same rows and errors, whatever happens to the statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from chatledger import InvalidInput, Ledger, Message, SessionNotFound, Settings
from chatledger.dialects.postgresql.autocommit import borrowed
from tests.ledger.test_direct_transactions import end_backends
from tests.support.traffic import traffic

_OFTEN = 8
"""More often than the driver and we wait before a statement is prepared."""


@pytest.fixture
def server_ledger(migrated_postgres_url: str) -> Iterator[Ledger]:
    """A ledger with one connection."""
    with Ledger(migrated_postgres_url, settings=Settings(pool_size=1, max_overflow=0)) as ledger:
        ledger.create("s")
        yield ledger


def server(ledger: Ledger, sql: str) -> list[Any]:
    """Run a statement on the ledger's connection, behind its back."""
    connection = ledger.engine.raw_connection()
    try:
        driver: Any = connection.dbapi_connection
        driver.autocommit = True
        cursor = driver.execute(sql)
        found: list[Any] = cursor.fetchall() if cursor.description else []
        driver.autocommit = False
        return found
    finally:
        connection.close()


def prepared(ledger: Ledger) -> int:
    sql = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'chatledger%'"
    return int(server(ledger, sql)[0][0])


def test_an_append_is_prepared_once_and_then_one_round_trip(server_ledger: Ledger) -> None:
    for _ in range(_OFTEN):
        server_ledger.append("s", "user", "x", input_tokens=3, payload={"a": 1})
    assert 1 == prepared(server_ledger)
    with traffic(server_ledger) as sent:
        server_ledger.append("s", "assistant", "é" * 1000, input_tokens=10**11, payload={"b": [None]})
    assert 1 == len(sent)
    assert 1 == prepared(server_ledger)


def test_what_is_stored_by_a_prepared_statement_is_what_a_unit_of_work_stores(server_ledger: Ledger) -> None:
    moment = datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    given: dict[str, Any] = {
        "content": "Grüße, \\ ' \" \n 数据",
        "payload": {"text": "\\u0041 {} [] $1 %s"},
        "metadata": {"n": 1.5},
        "input_tokens": 10**11,
        "output_tokens": 0,
        "cost": "0.000000001",
        "duration_ms": 7,
        "hidden": True,
        "created_at": moment,
    }
    for _ in range(_OFTEN):
        server_ledger.append("s", "user", **given)
    assert 1 <= prepared(server_ledger)
    returned = server_ledger.append("s", "user", **given)
    by_hand = server_ledger.run(lambda uow: uow.messages.append("s", "user", **given))
    stored = server_ledger.history("s")[-2:]

    def facts(message: Message) -> dict[str, Any]:
        return message.model_dump(exclude={"sequence_number"})

    assert facts(returned) == facts(by_hand) == facts(stored[0]) == facts(stored[1])


def test_rows_are_read_alike_before_and_after_a_history_is_prepared(server_ledger: Ledger) -> None:
    for number in range(30):
        server_ledger.append("s", "user", f"{number}", payload={"n": number}, key=str(number))
    histories = [server_ledger.history("s", last=20) for _ in range(_OFTEN)]
    assert all(histories[0] == one for one in histories)
    assert 20 == len(histories[0])


def test_statements_that_the_server_has_forgotten_are_prepared_again(server_ledger: Ledger) -> None:
    for _ in range(_OFTEN):
        server_ledger.append("s", "user")
    before = len(server_ledger.history("s"))
    server(server_ledger, "DEALLOCATE ALL")
    for place in range(1, 4):
        assert before + place == server_ledger.append("s", "user").sequence_number
    assert 1 == prepared(server_ledger)


def test_a_table_that_has_changed_under_a_prepared_statement_is_read_again(server_ledger: Ledger) -> None:
    for _ in range(_OFTEN):
        server_ledger.append("s", "user", "x")
        server_ledger.history("s")
    server(server_ledger, "ALTER TABLE chatledger_messages ALTER COLUMN tool_call_id TYPE varchar(500)")
    assert ["x"] * _OFTEN == [message.content for message in server_ledger.history("s")]
    assert _OFTEN + 1 == server_ledger.append("s", "user", "y").sequence_number


def test_what_cannot_be_sent_is_refused_as_before(server_ledger: Ledger) -> None:
    for _ in range(_OFTEN):
        server_ledger.append("s", "user", "x")
    for unsendable in ("a\0b", "a\ud800"):
        with pytest.raises((InvalidInput, SessionNotFound)):
            server_ledger.append(unsendable, "user", "x")
        with pytest.raises(InvalidInput):
            server_ledger.append("s", "user", unsendable)
    assert _OFTEN + 1 == server_ledger.append("s", "user", "x").sequence_number
    assert 0 == server_ledger.pool_status()["in_use"]


def test_errors_of_a_prepared_statement_are_ours_and_leave_the_connection_usable(server_ledger: Ledger) -> None:
    for _ in range(_OFTEN):
        server_ledger.append("s", "user")
        with pytest.raises(SessionNotFound):
            server_ledger.append("nobody", "user")
    assert {"in_use": 0, "open": 1} == {name: server_ledger.pool_status()[name] for name in ("in_use", "open")}
    assert 1 == prepared(server_ledger)


def test_a_pooler_s_connection_prepares_nothing(migrated_postgres_url: str) -> None:
    settings = Settings(prepared_statements=False, pool_size=1, max_overflow=0)
    with Ledger(migrated_postgres_url, settings=settings) as ledger:
        ledger.create("s")
        for number in range(_OFTEN):
            assert number + 1 == ledger.append("s", "user").sequence_number
        assert [(0,)] == server(ledger, "SELECT count(*) FROM pg_prepared_statements")


def test_a_rested_connection_that_has_ended_is_replaced(server_ledger: Ledger, migrated_postgres_url: str) -> None:
    tested: list[str] = []

    def test_failed(*_: object) -> None:
        tested.append("invalidated")

    event.listen(server_ledger.engine, "invalidate", test_failed)
    record: Any = borrowed(server_ledger.engine)
    record.close()
    record.info["chatledger_rested_since"] = float("-inf")  # as after a night
    with psycopg.connect(migrated_postgres_url, autocommit=True) as other:
        end_backends(other, "application_name = 'chatledger'")
    assert 1 == server_ledger.append("s", "user").sequence_number
    assert ["invalidated"] == tested
    assert 0 == server_ledger.pool_status()["in_use"]


def test_a_connection_that_is_given_back_in_a_transaction_is_rolled_back(server_ledger: Ledger) -> None:
    connection: Any = borrowed(server_ledger.engine)
    connection.dbapi_connection.execute("UPDATE chatledger_sessions SET title = 'lost'")
    connection.close()
    assert 0 == server_ledger.pool_status()["in_use"]
    with server_ledger.read() as uow:
        assert uow.sessions.get("s").title is None
