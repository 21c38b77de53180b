"""Chat-completions messages go in and come back equal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.exchange import Format, from_openai, import_file, to_openai
from tests.exchange.files import CHAT, messages_of, write


def test_every_kind_of_message_comes_back_equal(ledger: Ledger, tmp_path: Path) -> None:
    report = import_file(ledger, write(tmp_path / "chat.json", json.dumps(CHAT, indent=1)))
    assert (Format.OPENAI, 1, len(CHAT), ()) == (report.format, report.conversations, report.messages, report.failures)
    stored = messages_of(ledger, report.session_ids[0])
    assert json.dumps(CHAT, sort_keys=True) == json.dumps([to_openai(m) for m in stored], sort_keys=True)


def test_columns_are_filled_where_the_message_says_it(ledger: Ledger, tmp_path: Path) -> None:
    report = import_file(ledger, write(tmp_path / "chat.jsonl", *CHAT))
    stored = messages_of(ledger, report.session_ids[0])
    assert ["system", "user", "assistant", "tool", "assistant", "tool", "assistant", "developer"] == [
        message.role for message in stored
    ]
    call, answer, mixed = stored[2], stored[3], stored[6]
    assert ("gpt-4o", 20, 5, 3) == (call.model_id, call.input_tokens, call.output_tokens, call.cached_tokens)
    assert 2 == call.reasoning_tokens
    assert datetime.fromtimestamp(1_700_000_000, UTC) == call.created_at
    assert ("", {"content", "tool_calls", "usage", "model", "created"}) == (call.content, call.payload.keys())
    assert ("weather", "c1", None) == (answer.name, answer.tool_call_id, answer.payload)
    assert "Cold." == mixed.content


def test_the_other_fields_of_a_record_are_kept(ledger: Ledger, tmp_path: Path) -> None:
    record = {"task_id": 3, "reward": 0.5, "info": {"a": [1, None]}, "model": "m", "title": "T", "traj": CHAT[:2]}
    report = import_file(ledger, write(tmp_path / "runs.json", [record, {**record, "system": None}]))
    with ledger.read() as uow:
        first, second = (uow.sessions.get(session_id) for session_id in report.session_ids)
    assert {key: value for key, value in record.items() if key != "traj"} == first.metadata
    assert ("m", "T", 2) == (first.model_id, first.title, first.message_count)
    assert "system" in second.metadata
    assert second.metadata["system"] is None


def test_a_record_with_two_lists_is_two_conversations(ledger: Ledger, tmp_path: Path) -> None:
    record = {"chosen": CHAT[:2], "rejected": CHAT[:1], "conversation_id": "c", "empty": [], "tags": ["x"]}
    report = import_file(ledger, write(tmp_path / "pairs.jsonl", record))
    with ledger.read() as uow:
        found = [uow.sessions.get(session_id) for session_id in report.session_ids]
    assert [("chosen", 2), ("rejected", 1)] == [(s.metadata["messages_field"], s.message_count) for s in found]
    assert all(s.metadata["conversation_id"] == "c" and s.metadata["empty"] == [] for s in found)


@pytest.mark.parametrize(
    "item",
    [
        "text",
        {"content": "x"},
        {"role": "narrator", "content": "secret"},
        {"role": ["user"], "content": "secret"},
        {"role": "user", "content": "secret\x00"},
        {"role": "user", "content": "secret\ud800"},
    ],
)
def test_what_is_no_message_is_refused_without_its_content(item: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_openai(item)
    assert "secret" not in str(refused.value)
    assert refused.value.field.startswith("message")


@pytest.mark.parametrize(
    ("name", "conversations", "messages"),
    [
        ("tau_bench/gpt-4o-airline.trial0.json", 49, 1344),
        ("swe_agent/marshmallow-1867.function_calling.traj", 1, 24),
        ("llama_factory/v1_multimodal_demo.jsonl", 24, 96),
        ("llama_factory/v1_dpo_demo.jsonl", 20, 60),
    ],
)
def test_real_conversations_come_back_equal(
    ledger: Ledger, shared_data: Path, name: str, conversations: int, messages: int
) -> None:
    path = shared_data / name
    report = import_file(ledger, path)
    assert (conversations, messages, 0) == (report.conversations, report.messages, report.failed)
    text = path.read_text("utf-8")
    lines = [line for line in text.split("\n") if line] if path.suffix == ".jsonl" else [text]
    records: Any = [json.loads(line) for line in lines]
    records = records[0] if isinstance(records[0], list) else records
    keys = ("traj", "history", "messages", "chosen_messages", "rejected_messages")
    given = [record[key] for record in records for key in keys if key in record]
    read = [[to_openai(message) for message in messages_of(ledger, each)] for each in report.session_ids]
    assert given == read
    with ledger.read() as uow:
        for session_id, record in zip(report.session_ids, records, strict=False):
            session = uow.sessions.get(session_id)
            if len(records) == len(report.session_ids):
                assert {k: v for k, v in record.items() if k not in keys} == session.metadata
