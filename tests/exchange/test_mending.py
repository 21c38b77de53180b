"""One bad character does not refuse a conversation, and no message loses its text without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import import_file
from tests.exchange.exports import chatgpt, claude, document, node, said
from tests.exchange.files import messages_of, write


def test_characters_that_cannot_be_stored_are_replaced(ledger: Ledger, tmp_path: Path) -> None:
    bad = {"role": "user", "content": "a\0b\ud800c😀", "x\0": ["\udfff"], "name": "n\0"}
    good = {"role": "user", "content": "\\u0000 is text here"}
    path = write(tmp_path / "chats.jsonl", {"messages": [bad]}, {"messages": [good]})
    for dry_run in (True, False):
        report = import_file(ledger, path, dry_run=dry_run)
        assert (2, 0, 1) == (report.conversations, report.failed, report.warned)
        assert (1, 1) == (report.warnings[0].record, report.warnings[0].line)
        assert "characters that JSON or databases do not allow" in str(report.warnings[0])
    [message] = messages_of(ledger, report.session_ids[0])
    assert ("a␀b�c😀", "n␀", {"x␀": ["�"]}) == (message.content, message.name, message.payload)
    assert "\\u0000 is text here" == messages_of(ledger, report.session_ids[1])[0].content
    strict = import_file(ledger, path, strict=True)
    assert (1, 1, 0) == (strict.conversations, strict.failed, strict.warned)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"messages":[{"role":"user","content":"caf\xe9"}]}', "caf�"),
        (b'{"messages":[{"role":"user","content":"a\tb\x00"}]}', "a\tb␀"),
    ],
)
def test_bytes_that_are_no_text_are_replaced(ledger: Ledger, tmp_path: Path, line: bytes, text: str) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(line + b"\n")
    report = import_file(ledger, path)
    assert (1, 1) == (report.conversations, report.warned)
    assert text == messages_of(ledger, report.session_ids[0])[0].content
    path.write_bytes(b'{"messages":[{"role":"user","content":"Hi"}]}\n' + line + b"\n")
    assert (1, 1) == ((strict := import_file(ledger, path, strict=True)).conversations, strict.failed)


def test_exports_are_mended_alike(ledger: Ledger, tmp_path: Path) -> None:
    records = [chatgpt(node("a", None, text="x\0"), current="a", id="g"), claude(said("b", text="y\ud800", content=[]))]
    for record in records:
        report = import_file(ledger, document(tmp_path / "c.json", [record]))
        assert (1, 0, 1) == (report.conversations, report.failed, report.warned)
        # A file that is known is not warned of again.
        assert 0 == import_file(ledger, tmp_path / "c.json").warned
    assert ["x␀", "y�"] == [messages_of(ledger, name)[0].content for name in ("g", "c")]


UNREAD: list[dict[str, Any]] = [
    {"role": "user", "text": "Hello"},
    {"role": "user", "message": {"body": "Hello"}},
    {"role": "user", "content": {"unknown": ["Hello there"]}},
    {"role": "assistant", "content": [{"type": "brand_new", "words": "Hello"}]},
]
READ: list[dict[str, Any]] = [
    {"role": "user", "content": ""},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}]},
    {"role": "assistant", "content": None, "reasoning_content": "hm"},
]


@pytest.mark.parametrize("message", UNREAD)
def test_a_text_that_is_not_found_is_reported(ledger: Ledger, tmp_path: Path, message: dict[str, Any]) -> None:
    path = write(tmp_path / "chats.jsonl", {"messages": [{"role": "user", "content": "Hi"}, message]})
    report = import_file(ledger, path)
    assert (1, 1) == (report.conversations, report.warned)
    assert report.warnings[0].reason.endswith("messages[1]")
    assert "Hello" not in str(report.warnings[0])
    strict = import_file(ledger, path, strict=True)
    assert (0, 1) == (strict.conversations, strict.failed)
    assert "messages[1]: has its text in a place that is not known" in strict.failures[0].reason


def test_what_has_no_text_is_not_reported(ledger: Ledger, tmp_path: Path) -> None:
    report = import_file(ledger, write(tmp_path / "chats.json", json.dumps({"messages": READ})))
    assert (1, len(READ), 0) == (report.conversations, report.messages, report.warned)
