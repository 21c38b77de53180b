"""ShareGPT turns go in and come back equal."""

from __future__ import annotations

import json
from pathlib import Path

from chatledger import Ledger, tool_call
from chatledger.exchange import Format, import_file, to_sharegpt
from tests.exchange.files import SHAREGPT, messages_of, write


def test_every_kind_of_turn_comes_back_equal(ledger: Ledger, tmp_path: Path) -> None:
    record = {"conversations": SHAREGPT, "tools": "[]", "system": "Be brief.", "id": "identity_0"}
    report = import_file(ledger, write(tmp_path / "chats.json", [record]))
    assert (Format.SHAREGPT, 1, len(SHAREGPT)) == (report.format, report.conversations, report.messages)
    stored = messages_of(ledger, report.session_ids[0])
    assert SHAREGPT == [to_sharegpt(message) for message in stored]
    assert ["user", "assistant", "tool", "assistant", "user", "assistant", "assistant", "tool"] == [
        m.role for m in stored
    ]
    assert {"from": "function_call", "tool_calls": [tool_call("invoice", {"n": 1})]} == stored[1].payload
    assert stored[0].payload is None
    with ledger.read() as uow:
        session = uow.sessions.get(report.session_ids[0])
    assert ("Be brief.", {"tools": "[]", "id": "identity_0"}) == (session.system_prompt, session.metadata)


def test_a_list_of_turns_is_one_conversation(ledger: Ledger, tmp_path: Path) -> None:
    report = import_file(ledger, write(tmp_path / "chat.json", SHAREGPT))
    assert (1, len(SHAREGPT)) == (report.conversations, report.messages)


def test_an_unknown_speaker_fails_its_record_only(ledger: Ledger, tmp_path: Path) -> None:
    bad = {"conversations": [*SHAREGPT, {"from": "narrator", "value": "secret"}]}
    report = import_file(ledger, write(tmp_path / "chats.jsonl", {"conversations": SHAREGPT}, bad))
    assert (1, 1) == (report.conversations, report.failed)
    assert (2, 2) == (report.failures[0].record, report.failures[0].line)
    assert "conversations[8].from" in report.failures[0].reason
    assert "secret" not in report.failures[0].reason


def test_real_conversations_come_back_equal(ledger: Ledger, shared_data: Path) -> None:
    path = shared_data / "llama_factory" / "glaive_toolcall_zh_demo.json"
    report = import_file(ledger, path)
    assert (300, 1880, 0) == (report.conversations, report.messages, report.failed)
    given = json.loads(path.read_text("utf-8"))
    read = [[to_sharegpt(m) for m in messages_of(ledger, session_id)] for session_id in report.session_ids]
    assert [record["conversations"] for record in given] == read
