"""The counters of a session equal its rows, after any mix of writes."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

from decimal import Decimal

import pytest

from chatledger import Ledger
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

WRONG = """
    SELECT s.session_id FROM chatledger_sessions AS s LEFT JOIN (
        SELECT session_id, count(*) AS messages,
            sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS tokens,
            sum(coalesce(duration_ms, 0)) AS took, sum(coalesce(cost, 0)) AS cost, max(sequence_number) AS last
        FROM chatledger_messages GROUP BY session_id
    ) AS m ON m.session_id = s.session_id
    WHERE s.message_count <> coalesce(m.messages, 0) OR s.total_tokens <> coalesce(m.tokens, 0)
        OR s.total_duration_ms <> coalesce(m.took, 0) OR s.total_cost <> coalesce(m.cost, 0)
        OR s.last_sequence < coalesce(m.last, 0)"""
"""Sessions whose counters differ from a count of their rows."""

INSERT = (
    "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, input_tokens, output_tokens, cost)"
)


@pytest.fixture
def mixed(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        for name in ("s", "t"):
            uow.sessions.create(name)
            uow.messages.append(name, "user", "a", input_tokens=5, output_tokens=7, duration_ms=3, cost="0.25")
            uow.messages.append(name, "user", "b", tokens_used=100, input_tokens=5, cost=0.1)
            uow.messages.append(name, "user", "c")
            uow.messages.append_many(name, [{"role": "user", "output_tokens": n, "cost": n} for n in range(10)])
    return any_ledger


def test_appends_are_counted(mixed: Ledger, raw: Raw) -> None:
    assert [] == raw(WRONG)
    with mixed.read() as uow:
        session = uow.sessions.get("s")
    assert (13, 12 + 100 + 45, 3, Decimal("45.35"), 13) == (
        session.message_count, session.total_tokens, session.total_duration_ms, session.total_cost,
        session.last_sequence,
    )  # fmt: skip


def test_a_total_goes_before_its_parts(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        message = uow.messages.append("s", "user", tokens_used=0, input_tokens=5, cached_tokens=3)
        assert (0, 0) == (message.total_tokens, uow.sessions.get("s").total_tokens)
        message = uow.messages.append("s", "user", input_tokens=5, output_tokens=2, cached_tokens=3)
        assert (7, 7) == (message.total_tokens, uow.sessions.get("s").total_tokens)


def test_any_mix_of_services_is_counted(mixed: Ledger, raw: Raw) -> None:
    with mixed.begin() as uow:
        uow.messages.pop("s")
        uow.messages.redact("s", 1)
        uow.sessions.fork("s", at=5)
        uow.messages.clear("t")
        uow.messages.append("t", "user", tokens_used=1)
        uow.sessions.delete("s")
    assert [] == raw(WRONG)


RAW = {
    "insert": f"{INSERT} VALUES ('s', 50, 'user', 'x', 1, 2, 3)",
    "insert of many": f"{INSERT} VALUES ('s', 50, 'user', 'x', 1, 2, 3), ('t', 60, 'user', 'y', 4, 5, 6)",
    "insert from a query": f"{INSERT} SELECT session_id, sequence_number + 100, 'user', 'x', 1, NULL, 9 FROM chatledger_messages",
    "delete": "DELETE FROM chatledger_messages WHERE sequence_number IN (2, 5)",
    "delete of all": "DELETE FROM chatledger_messages",
    "change of tokens": "UPDATE chatledger_messages SET input_tokens = 999 WHERE sequence_number < 3",
    "change to null": "UPDATE chatledger_messages SET tokens_used = NULL, output_tokens = NULL, cost = NULL, duration_ms = NULL",
    "change of cost": "UPDATE chatledger_messages SET cost = coalesce(cost, 0) + 7",
    "change of text": "UPDATE chatledger_messages SET content = 'z'",
    "move to another session": "UPDATE chatledger_messages SET session_id = 't', sequence_number = 70 + sequence_number "
    "WHERE session_id = 's' AND sequence_number > 3",
    "renumbering": "UPDATE chatledger_messages SET sequence_number = sequence_number + 1000",
    "upsert": f"{INSERT} VALUES ('s', 1, 'user', 'x', 40, 2, 3) "
    "ON CONFLICT (session_id, sequence_number) DO UPDATE SET input_tokens = 40, cost = 1",
    "ignored insert": f"{INSERT} VALUES ('s', 1, 'user', 'x', 40, 2, 3) ON CONFLICT DO NOTHING",
    "delete of a session": "DELETE FROM chatledger_sessions WHERE session_id = 's'",
    "nothing": "DELETE FROM chatledger_messages WHERE sequence_number = 12345",
}


@pytest.mark.parametrize("statement", RAW.values(), ids=RAW.keys())
@ONE_FLAVOR
def test_raw_sql_is_counted(any_ledger: Ledger, mixed: Ledger, raw: Raw, statement: str) -> None:
    raw(statement)
    assert [] == raw(WRONG)
    with mixed.begin() as uow:
        last = uow.sessions.get("t").last_sequence
        assert last + 1 == uow.messages.append("t", "user", "on", input_tokens=1).sequence_number
    assert [] == raw(WRONG)


def test_a_number_is_not_handed_out_again_after_raw_deletes(mixed: Ledger, raw: Raw) -> None:
    raw("DELETE FROM chatledger_messages WHERE session_id = 's' AND sequence_number > 2")
    with mixed.begin() as uow:
        assert 14 == uow.messages.append("s", "user", "on").sequence_number


def test_a_truncated_table_is_counted_as_empty(ledger: Ledger, raw: Raw, backend: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", input_tokens=3)
    raw("TRUNCATE chatledger_messages" if backend == "postgresql" else "DELETE FROM chatledger_messages")
    assert [] == raw(WRONG)


def test_what_is_rolled_back_is_not_counted(mixed: Ledger, raw: Raw) -> None:
    def counters() -> list[tuple[object, ...]]:
        return [tuple(row) for row in raw("SELECT * FROM chatledger_sessions ORDER BY session_id")]

    before = counters()
    with pytest.raises(ZeroDivisionError), mixed.begin() as uow:
        uow.messages.append("s", "user", "x", tokens_used=5, cost=1)
        uow.messages.append_many("t", [{"role": "user"}] * 5)
        uow.messages.clear("s")
        raise ZeroDivisionError
    assert before == counters()
    assert [] == raw(WRONG)


def test_what_a_savepoint_undoes_is_not_counted(ledger: Ledger, raw: Raw) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "x", tokens_used=5)
        with pytest.raises(ZeroDivisionError), uow.savepoint():
            uow.messages.append_many("s", [{"role": "user", "tokens_used": 7}] * 3)
            raise ZeroDivisionError
        uow.messages.append("s", "user", "y", tokens_used=1)
    assert [] == raw(WRONG)
    assert [(2, 6, 2)] == [
        tuple(r) for r in raw("SELECT message_count, total_tokens, last_sequence FROM chatledger_sessions")
    ]
