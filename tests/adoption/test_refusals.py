"""What is no source is refused with a sentence that says what it is."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chatledger import ChatledgerError, CorruptDatabase, InvalidInput, Ledger
from chatledger.adoption import adopt
from tests.adoption.old import (
    ADK,
    AGENTS,
    AI_ROUTER,
    CHAT_SESSIONS,
    LLM,
    LLM_SESSIONS,
    THREADS,
    fill_ai_router,
    made,
    put,
)


def refused(path: Path, **how: str) -> str:
    with Ledger(":memory:") as ledger:
        with pytest.raises(ChatledgerError) as error:
            adopt(ledger, path, **how)  # type: ignore[arg-type]  # words that are checked
        with ledger.read() as uow:
            assert [] == list(uow.sessions.list())
    return str(error.value)


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "there is no file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "pipe": (os.mkfifo, "is not a regular file"),
    "empty": (lambda path: path.write_bytes(b""), "is an empty file"),
    "json": (lambda path: path.write_text('[{"role": "user"}]'), "is JSON: `chatledger import`"),
    "sql": (lambda path: path.write_text("BEGIN TRANSACTION;\nCREATE TABLE t(x);"), "is SQL text"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"x")), "is compressed with gzip"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04rest"), "is a ZIP archive"),
    "dump": (lambda path: path.write_bytes(b"PGDMP\x01"), "is a dump of a PostgreSQL database"),
    "noise": (lambda path: path.write_bytes(os.urandom(200).replace(b"{", b"x")), "is not a SQLite database"),
    "beginning": (lambda path: path.write_bytes(b"SQLite for"), "is cut off within its first bytes"),
    "header": (lambda path: path.write_bytes(b"SQLite format 3\x00" + bytes(40)), "is cut off within its first 100"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files(tmp_path: Path, name: str) -> None:
    make, said = OTHERS[name]
    make(tmp_path / "it")
    assert said in refused(tmp_path / "it")


def test_a_ledger_is_no_older_database(tmp_path: Path) -> None:
    Ledger(tmp_path / "chat.db").close()
    assert "is a ledger already" in refused(tmp_path / "chat.db")


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (AI_ROUTER, "an AI-router database"), (CHAT_SESSIONS, "a chat_sessions database"),
        (LLM_SESSIONS, "an LLM-session-management database"), (LLM, "a log of llm"), (THREADS, "a log of llm"),
        (ADK, "a Google ADK session store"), (AGENTS, "an OpenAI Agents session store"),
    ],
)  # fmt: skip
def test_a_database_of_another_layout_is_called_by_its_name(tmp_path: Path, schema: str, sentence: str) -> None:
    with made(tmp_path / "it", schema):
        pass
    assert f"is not langchain: {str(tmp_path / 'it')!r} is {sentence}" in refused(tmp_path / "it", layout="langchain")


def test_a_database_of_something_else(tmp_path: Path) -> None:
    with made(tmp_path / "it", "CREATE TABLE invoices (id INTEGER); CREATE TABLE customers (id INTEGER);"):
        pass
    assert "is of no layout that is known; its tables are 'customers', 'invoices'" in refused(tmp_path / "it")
    with made(tmp_path / "none", "CREATE TABLE t (x); DROP TABLE t;"):
        pass
    assert "is a SQLite database without tables" in refused(tmp_path / "none")


def test_tables_of_the_right_names_with_other_columns(tmp_path: Path) -> None:
    with made(tmp_path / "it", "CREATE TABLE sessions (id, token); CREATE TABLE messages (id, body);"):
        pass
    assert "is of no layout that is known" in refused(tmp_path / "it")


def test_another_layout_than_the_one_that_was_named(tmp_path: Path) -> None:
    with made(tmp_path / "it", CHAT_SESSIONS):
        pass
    assert "is not ai-router" in (said := refused(tmp_path / "it", layout="ai-router"))
    assert "is a chat_sessions database" in said
    with Ledger(":memory:") as ledger:
        assert "chat-sessions" == adopt(ledger, tmp_path / "it", layout="chat-sessions").layout


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection, texts=tuple("word " * 200 for _ in range(50)))
    path.write_bytes(path.read_bytes()[:-8192])
    assert "is cut off" in refused(path)


def test_a_page_that_was_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection, texts=tuple("word " * 200 for _ in range(50)))
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()[0]
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with Ledger(":memory:") as ledger, pytest.raises(CorruptDatabase, match="is damaged and was not touched"):
        adopt(ledger, path)
    assert data == path.read_bytes()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"layout": "guess"}, "layout: is not one of auto, "),
        ({"orphans": "burn"}, "orphans: is not one of keep, drop"),
        ({"timezone": "Middle/Earth"}, "timezone: is no time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone: is no time zone"),
    ],
)
def test_words_that_mean_nothing(tmp_path: Path, how: dict[str, str], said: str) -> None:
    assert refused(tmp_path / "it", **how).startswith(said)


def test_errors_hold_no_content(tmp_path: Path) -> None:
    with made(tmp_path / "it", "CREATE TABLE notes (text);") as connection:
        put(connection, "notes", text="my secret")
    with Ledger(":memory:") as ledger, pytest.raises(InvalidInput) as error:
        adopt(ledger, tmp_path / "it")
    assert "secret" not in str(error.value)


def test_a_layout_that_lacks_a_column(tmp_path: Path) -> None:
    with made(tmp_path / "it", AI_ROUTER.replace("tokens_used INTEGER, ", "")) as connection:
        fill_ai_router(connection)
    said = refused(tmp_path / "it")
    assert "is not quite of the layout that it looks like: no such column: tokens_used" in said


def test_foreign_keys_that_lead_nowhere_do_no_harm(tmp_path: Path) -> None:
    schema = AI_ROUTER.replace("REFERENCES sessions(session_id)", "REFERENCES sessions(title)")
    with made(tmp_path / "it", schema) as connection:
        fill_ai_router(connection)
    with Ledger(":memory:") as ledger:
        assert adopt(ledger, tmp_path / "it").finding("foreign_key_broken", "messages") is not None


def test_a_table_of_messages_that_is_not_langchains(tmp_path: Path) -> None:
    schema = "CREATE TABLE notes (id INTEGER PRIMARY KEY, session_id TEXT, message TEXT);"
    with made(tmp_path / "it", schema) as connection:
        put(connection, "notes", session_id="s", message="call the plumber")
    assert "is of no layout that is known" in refused(tmp_path / "it")
    with made(tmp_path / "it") as connection:
        connection.execute("""UPDATE notes SET message = '{"type": "human", "data": {"content": "Hi"}}'""")
    with Ledger(":memory:") as ledger:
        assert ("langchain", 1) == ((report := adopt(ledger, tmp_path / "it")).layout, report.messages)
