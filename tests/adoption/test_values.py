"""Values that no ledger can hold are shown as far as they can be, kept in an escaped form, and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.adoption import adopt
from chatledger.adoption.source.json_values import storable
from chatledger.dialects.encoding import encode_json
from tests.adoption.old import AI_ROUTER, CHAT_SESSIONS, fill_ai_router, made, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("'a' || char(0) || 'b'", "a\u2400b"),
        ("CAST(x'61ff62' AS TEXT)", "a\ufffdb"),
        ("CAST(x'eda080' AS TEXT)", "\ufffd\ufffd\ufffd"),
    ],
)
def test_text_that_is_none(path: Path, ledger: Ledger, stored: str, shown: str) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute(f"UPDATE messages SET content = {stored}, metadata = NULL WHERE message_id = 2")
        connection.execute(f"UPDATE sessions SET title = {stored}")
        (original,) = connection.execute("SELECT CAST(content AS BLOB) FROM messages WHERE message_id = 2").fetchone()
    report = adopt(ledger, path)
    with ledger.read() as uow:
        message, chat = uow.messages.get("s", 2), uow.sessions.get("s")
    assert (shown, shown) == (message.content, chat.title)
    escaped = message.metadata["adopted"]["as_found"]["content"]["escaped"]
    assert original == json.loads(escaped).encode("utf-8", "surrogateescape")
    assert escaped == chat.metadata["adopted"]["as_found"]["title"]["escaped"]
    assert {"messages", "sessions"} == {f.table for f in report.findings if f.kind == "cannot_be_stored"}
    assert 0 == adopt(ledger, path).messages


def test_bytes_where_text_should_be(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE messages SET content = x'00ff' WHERE message_id = 2")
    adopt(ledger, path)
    with ledger.read() as uow:
        message = uow.messages.get("s", 2)
    assert ("", {"base64": "AP8="}) == (message.content, message.metadata["adopted"]["as_found"]["content"])


def test_json_with_characters_that_cannot_be_stored(path: Path, ledger: Ledger) -> None:
    plan = r'{"text": "a\u0000b", "half": "\ud83d"}'
    with made(path, CHAT_SESSIONS) as connection:
        put(
            connection, "chat_sessions", session_id="s", created_at="2026-01-01T00:00:00",
            updated_at="2026-01-01T00:00:00", metadata=r'{"m": "\u0000"}', context=r'{"c": "\ud83d"}',
        )  # fmt: skip
        put(
            connection, "chat_messages", session_id="s", role="user", content="x", query_plan=plan,
            timestamp="2026-01-01T00:00:00",
        )  # fmt: skip
    adopt(ledger, path)
    with ledger.read() as uow:
        (message,), chat = uow.messages.history("s"), uow.sessions.get("s")
    assert {"query_plan": json.loads(plan)} == json.loads(message.payload["escaped"])
    assert "\x00" == json.loads(chat.metadata["m"]["escaped"])
    assert {"c": "\ud83d"} == json.loads(chat.metadata["adopted"]["as_found"]["context"]["escaped"])
    assert {} == chat.context


def test_ids_that_cannot_be_ids(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        for number, session in enumerate(["", "x" * 300, "nul\x00", b"blob", None]):
            put(
                connection, "sessions", session_id=session, created_at="2025-01-01 00:00:00", model_id="m" * 300,
                message_count=1, title=f"session {number}",
            )  # fmt: skip
            if session is not None:
                put(connection, "messages", session_id=session, sequence_number=1, role="user", content=f"of {number}")
    report = adopt(ledger, path)
    with ledger.read() as uow:
        chats = {chat.title: chat for chat in uow.sessions.list()}
        told = {title: [m.content for m in uow.messages.history(c.session_id)] for title, c in chats.items()}
    assert {f"session {number}": [f"of {number}"] for number in range(4)} | {"session 4": []} == told
    assert {None} == {chat.model_id for chat in chats.values()}
    assert "m" * 300 == chats["session 0"].metadata["adopted"]["as_found"]["model_id"]
    assert (5, 4) == (report.sessions, report.messages)
    assert (0, 0) == ((again := adopt(ledger, path)).sessions, again.messages)


def test_a_message_without_any_time_takes_that_before_it(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE messages SET timestamp = 'never' WHERE message_id = 2")
    adopt(ledger, path)
    with ledger.read() as uow:
        first, second = uow.messages.history("s")
    assert first.created_at == second.created_at
    assert {"timestamp": "never"} == second.metadata["adopted"]["as_found"]


@pytest.mark.parametrize(
    ("value", "kept_as_it_is"),
    [
        ({"a": [1, 2.5, None, True, "ü 🙂 \\u0000 \\ud83d"]}, True), ([[]] * 200, True), ("\x00", False),
        ({"k\x00": 1}, False), (["\ud83d"], False), (float("nan"), False), (json.loads("[" * 65 + "]" * 65), False),
        (json.loads("[" * 64 + "]" * 64), True), (10**3000, True), (10**4000, False),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_a_ledger_keeps_of_json(value: object, kept_as_it_is: bool) -> None:
    stored = storable(value)
    if kept_as_it_is:
        assert stored is value
        encode_json(value, "value")
    else:
        with pytest.raises(InvalidInput):
            encode_json(value, "value")
        encode_json(stored, "value")
