"""Claude's exports: nothing that they know is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Message, reasoning, tool_call
from chatledger.exchange import Format, ImportReport, import_file
from tests.exchange.exports import claude, document, said
from tests.exchange.files import messages_of

ROOT = "00000000-0000-4000-8000-000000000000"
"""The parent of first messages in these files."""
AT = datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def read(ledger: Ledger, tmp_path: Path, *conversations: Any) -> ImportReport:
    report = import_file(ledger, document(tmp_path / "conversations.json", list(conversations)))
    assert Format.CLAUDE == report.format
    return report


def only_message(ledger: Ledger, tmp_path: Path, **message: Any) -> Message:
    report = read(ledger, tmp_path, claude(said("m", **message)))
    assert 0 == report.failed
    return messages_of(ledger, "c")[0]


def test_messages_that_name_no_parent_are_one_path(ledger: Ledger, tmp_path: Path) -> None:
    named: list[dict[str, Any]] = [{}, {"parent_message_uuid": None}]
    for number, parent in enumerate(named):
        record = claude(
            said("a", **parent), said("b", sender="assistant", **parent), said("d", **parent), uuid=str(number)
        )
        report = read(ledger, tmp_path, record)
        assert (1, 0, 3) == (report.conversations, report.forks, report.messages)
        told = [(one.role.value, one.content, one.key) for one in messages_of(ledger, str(number))]
        assert [("user", "a", "a"), ("assistant", "b", "b"), ("user", "d", "d")] == told


@pytest.mark.parametrize("first", [ROOT, None, "gone"])
def test_branches_become_forks(ledger: Ledger, tmp_path: Path, first: str | None) -> None:
    record = claude(
        said("a", parent_message_uuid=first), said("b1", "a"), said("c1", "b1"), said("b2", "a"),
        said("x", parent_message_uuid=first), said("c2", "b2"),
    )  # fmt: skip
    report = read(ledger, tmp_path, record)
    assert (1, 2, 6) == (report.conversations, report.forks, report.messages)
    assert ("c", "c:c1", "c:x") == report.session_ids
    assert [["a", "b2", "c2"], ["a", "b1", "c1"], ["x"]] == [
        [one.content for one in messages_of(ledger, name)] for name in report.session_ids
    ]
    with ledger.read() as uow:
        found = [uow.sessions.get(name) for name in report.session_ids]
    assert [(None, None), ("c", 1), (None, None)] == [(one.forked_from, one.forked_at) for one in found]
    assert "c" == found[2].metadata["branch_of"]


def test_the_current_leaf_is_the_end_of_the_session(ledger: Ledger, tmp_path: Path) -> None:
    record = claude(said("a", ROOT), said("b1", "a"), said("b2", "a"), current_leaf_message_uuid="b1")
    assert ("c", "c:b2") == read(ledger, tmp_path, record).session_ids


def test_a_conversation_keeps_what_no_column_has(ledger: Ledger, tmp_path: Path) -> None:
    record = claude(
        said("m", text="Where to?", content=[]), name="", summary="Short", account={"uuid": "u"}, model="claude-4",
        project_uuid=None,
    )  # fmt: skip
    read(ledger, tmp_path, record)
    with ledger.read() as uow:
        session = uow.sessions.get("c")
    assert ("Where to?", "claude-4", AT) == (session.title, session.model_id, session.created_at)
    assert {
        "uuid": "c", "name": "", "summary": "Short", "account": {"uuid": "u"}, "model": "claude-4",
        "created_at": "2026-05-01T09:00:00Z",
    } == session.metadata  # fmt: skip


def test_one_text_block_needs_no_payload(ledger: Ledger, tmp_path: Path) -> None:
    block: dict[str, Any] = {
        "type": "text",
        "text": "Hi",
        "start_timestamp": "s",
        "stop_timestamp": None,
        "citations": [],
    }
    found = only_message(ledger, tmp_path, text="Hi", content=[block], index=3, updated_at="later")
    assert ("Hi", None) == (found.content, found.payload)
    assert {"index": 3, "updated_at": "later", "text_block": {"start_timestamp": "s"}} == found.metadata


def test_other_blocks_and_files_are_kept_unchanged(ledger: Ledger, tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "summaries": []},
        {"type": "text", "text": "One", "citations": [{"url": "u"}]},
        {"type": "tool_use", "name": "search", "input": {"q": "x"}},
        {"type": "tool_result", "name": "search", "content": [{"type": "text", "text": "found"}]},
        {"type": "text", "text": "Two"},
    ]
    attachments, files = [{"file_name": "a.txt", "extracted_content": "all of it"}], [{"file_name": "b.png"}]
    found = only_message(
        ledger, tmp_path, sender="assistant", text="One\n[notice]\nTwo", content=blocks, attachments=attachments,
        files=files,
    )  # fmt: skip
    first, result, last = messages_of(ledger, "c")
    assert [("assistant", "m"), ("tool", "m#2"), ("assistant", "m#3")] == [
        (one.role.value, one.key) for one in (first, result, last)
    ]
    # The text of attachments and of results is found by a search.
    assert ["One\n\n[a.txt]\nall of it", "found", "Two"] == [one.content for one in (first, result, last)]
    assert {
        "tool_calls": [tool_call("search", {"q": "x"})], "reasoning": [reasoning("hm")], "source_format": "claude",
        "content": blocks[:3], "text": "One\n[notice]\nTwo", "attachments": attachments, "files": files,
    } == first.payload  # fmt: skip
    assert ("search", {"source_format": "claude", "content": [blocks[3]]}) == (result.name, result.payload)
    assert last.payload is None
    assert first == found


def test_two_results_of_one_message_are_two_messages(ledger: Ledger, tmp_path: Path) -> None:
    blocks = [
        {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
        {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
        {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "two"}], "is_error": True},
    ]
    report = read(ledger, tmp_path, claude(said("m", sender="assistant", content=blocks), said("n", content=[])))
    assert (0, 4) == (report.failed, report.messages)
    called, *results, _ = messages_of(ledger, "c")
    assert ["c1", "c2"] == [call.id for call in called.tool_calls]
    assert [("c1", "one", False), ("c2", "two", True)] == [
        (one.tool_call_id, one.content, one.is_error) for one in (message.tool_result for message in results) if one
    ]


def test_a_fork_leaves_behind_all_parts_of_a_message(ledger: Ledger, tmp_path: Path) -> None:
    blocks = [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "y"}]
    record = claude(said("a", ROOT, content=blocks), said("b1", "a"), said("b2", "a"))
    assert ("c", "c:b1") == read(ledger, tmp_path, record).session_ids
    for name, last in (("c", "b2"), ("c:b1", "b1")):
        assert ["a", "a#2", last] == [one.key for one in messages_of(ledger, name)]


@pytest.mark.parametrize(
    ("text", "content", "expected", "payload"),
    [
        ("flat", None, "flat", None),
        ("flat", [], "flat", None),
        ("", [{"type": "image"}], "", {"content": [{"type": "image"}]}),
        (None, "not a list", "", {"content": "not a list"}),
        (None, None, "", None),
        (["odd"], [], "", {"text": ["odd"]}),
        ("flat", [{"type": "text", "text": ""}], "", {"text": "flat"}),
    ],
)
def test_text_without_text_blocks(
    ledger: Ledger, tmp_path: Path, text: Any, content: Any, expected: str, payload: Any
) -> None:
    found = only_message(ledger, tmp_path, text=text, content=content)
    assert (expected, payload and {"source_format": "claude", **payload}) == (found.content, found.payload)


@pytest.mark.parametrize("time", ["2026-05-01T10:00:00", "2023-10-07T07:03:01.693863+", "9999-99", 5, None])
def test_a_time_that_says_nothing_certain_is_kept(ledger: Ledger, tmp_path: Path, time: Any) -> None:
    found = only_message(ledger, tmp_path, created_at=time)
    assert (AT, time) == (found.created_at, found.metadata["created_at"])


BROKEN: list[tuple[Any, str]] = [
    ({"uuid": "c"}, "has no list of 'chat_messages'"),
    (claude("secret"), "chat_messages[0]: is not an object"),  # type: ignore[arg-type]
    (claude(said("a"), said("a")), "chat_messages[1].uuid: is that of an earlier message as well"),
    (claude(said("a", "b"), said("b", "a")), "chat_messages: holds messages that answer themselves"),
    (claude(said("a", sender="secret")), "chat_messages[0].sender: is not one of human"),
    (
        claude(said("a"), said("b", content=[{"type": "text", "text": "secret\0"}])),
        "chat_messages[1].content: holds a NUL",
    ),
    (claude(said("a", files=["\ud800"])), "messages[0].payload: holds a lone surrogate"),
    (claude(said("\0", text="", content=[])), "chat_messages[0].key: holds a NUL"),
    (claude(uuid="\ud800"), "session_id: holds a lone surrogate"),
]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_broken_is_named_and_the_others_are_imported(ledger: Ledger, tmp_path: Path, dry_run: bool) -> None:
    records = [claude(said("x"), uuid="first"), *(broken for broken, _ in BROKEN), claude(said("x"), uuid="last")]
    report = import_file(ledger, document(tmp_path / "file.json", records), dry_run=dry_run, strict=True)
    assert (2, len(BROKEN)) == (report.conversations, report.failed)
    for failure, (_, reason) in zip(report.failures, BROKEN, strict=True):
        assert reason in failure.reason
        assert "secret" not in failure.reason


def test_the_published_sample(ledger: Ledger, shared_data: Path) -> None:
    report = import_file(ledger, shared_data / "claude_export" / "claude-ai-sample-00.json")
    assert (Format.CLAUDE, 1, 0, 3, 0) == (
        report.format, report.conversations, report.forks, report.messages, report.failed,
    )  # fmt: skip
    first = messages_of(ledger, report.session_ids[0])[0]
    assert first.content.startswith("Can you explain how this works?\n\n")
    assert all(
        f"[{one['file_name']}]\n{one['extracted_content']}" in first.content for one in first.payload["attachments"]
    )
    assert ("Can you explain how this works?", 3, 4) == (
        first.payload["text"], len(first.payload["content"]), len(first.payload["attachments"]),
    )  # fmt: skip
    assert "2023-10-07T07:03:01.693863+" == first.metadata["created_at"]
