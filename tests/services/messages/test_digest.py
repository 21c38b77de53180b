"""Each message carries a digest that shows whether a byte of it has changed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.schemas.digest import message_digest
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

FULL: dict[str, Any] = {
    "content": "naïve 東京 🧑‍🚀 \u2028", "payload": {"a": [1.0, "é", None]}, "metadata": {"x": 1}, "name": "n",
    "tool_call_id": "t", "model_id": "m", "input_tokens": 1, "output_tokens": 2, "cached_tokens": 3, "cache_write_tokens": 7,
    "tokens_used": 4,
    "duration_ms": 5, "cost": Decimal("0.5"), "key": "k", "reasoning_tokens": 6, "outcome": "error",
    "hidden": True,
    "cache_write_1h_tokens": 8, "unpriced_units": 9, "service_tier": "batch",
}  # fmt: skip


STORED = """
    SELECT role, content, CAST(payload AS TEXT) AS payload, CAST(metadata AS TEXT) AS metadata, name, tool_call_id,
        model_id, input_tokens, output_tokens, cached_tokens, cache_write_tokens, tokens_used, duration_ms, key,
        reasoning_tokens, outcome, hidden, cache_write_1h_tokens, unpriced_units,
        service_tier, created_at, digest
    FROM chatledger_messages ORDER BY sequence_number"""
"""Rows in stored form: JSON columns as their text, times as each database keeps them."""


def stored_rows(raw: Raw) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in raw(STORED)]


def created_at(row: dict[str, Any]) -> datetime:
    found = row["created_at"]
    return datetime.fromisoformat(found).replace(tzinfo=UTC) if isinstance(found, str) else found


@pytest.fixture
def three(any_ledger: Ledger) -> Ledger:
    """A bare message, a full one, and one that was added in bulk."""
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user")
        uow.messages.append("s", "tool", **FULL)
        uow.messages.append_many("s", [{"role": "tool", **FULL, "key": "bulk"}])
    return any_ledger


def test_a_digest_is_sixteen_bytes_of_what_is_stored(three: Ledger, raw: Raw) -> None:
    rows = stored_rows(raw)
    assert [16, 16, 16] == [len(bytes(row["digest"])) for row in rows]
    assert [bytes(row["digest"]) for row in rows] == [message_digest(row, created_at(row)) for row in rows]


@pytest.mark.parametrize("field", [*(field for field in FULL if field != "cost"), "role"])
@ONE_FLAVOR
def test_a_byte_that_changed_is_noticed(any_ledger: Ledger, three: Ledger, raw: Raw, field: str) -> None:
    if field == "role":
        raw("UPDATE chatledger_messages SET role = 'user' WHERE sequence_number = 2")
    elif field == "outcome":
        raw("UPDATE chatledger_messages SET outcome = 'complete' WHERE sequence_number = 2")
    elif field == "hidden":
        raw("UPDATE chatledger_messages SET hidden = NULL WHERE sequence_number = 2")
    elif field in ("payload", "metadata"):
        raw(f"UPDATE chatledger_messages SET {field} = '[2]' WHERE sequence_number = 2")
    elif field == "service_tier":
        raw("UPDATE chatledger_messages SET service_tier = 'flex' WHERE sequence_number = 2")
    elif isinstance(FULL[field], int):
        raw(f"UPDATE chatledger_messages SET {field} = {field} + 1 WHERE sequence_number = 2")
    else:
        raw(f"UPDATE chatledger_messages SET {field} = {field} || ' ' WHERE sequence_number = 2")
    bare, changed, bulk = stored_rows(raw)
    assert bytes(bare["digest"]) == message_digest(bare, created_at(bare))
    assert bytes(bulk["digest"]) == message_digest(bulk, created_at(bulk))
    assert bytes(changed["digest"]) != message_digest(changed, created_at(changed))


def test_a_time_that_changed_is_noticed(three: Ledger, raw: Raw) -> None:
    raw("UPDATE chatledger_messages SET created_at = '2020-01-01 00:00:00.000000' WHERE sequence_number = 2")
    changed = stored_rows(raw)[1]
    assert bytes(changed["digest"]) != message_digest(changed, created_at(changed))


def test_fields_cannot_be_confused(any_ledger: Ledger, raw: Raw) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        every: list[dict[str, Any]] = [
            {"name": "ab"},
            {"name": "a", "model_id": "b"},
            {"model_id": "ab"},
            {"content": "ab"},
        ]
        for fields in every:
            uow.messages.append("s", "user", created_at=when, **fields)
        uow.messages.append("s", "user", created_at=when, payload="ab")
        uow.messages.append("s", "user", created_at=when, payload=1)
        uow.messages.append("s", "user", created_at=when, payload=1.0)
        uow.messages.append("s", "user", created_at=when, content='", "name": "ab')
    assert 8 == len({bytes(row["digest"]) for row in stored_rows(raw)})


def test_the_same_is_the_same_on_both_databases(both: tuple[Ledger, Ledger]) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for ledger in both:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append("s", "tool", created_at=when, **FULL)
            found.append(
                bytes(uow.session.connection().exec_driver_sql("SELECT digest FROM chatledger_messages").scalar_one())
            )
    assert found[0] == found[1]
