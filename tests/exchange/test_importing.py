"""An import keeps what can be kept, says what could not, and writes whole conversations or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, ReadOnly
from chatledger.exchange import Format, Progress, import_file, importer
from tests.exchange.exports import chatgpt, claude, node, oasst, reply, said
from tests.exchange.files import CHAT, SHAREGPT, messages_of, write

GOOD: dict[str, Any] = {"messages": CHAT}


def count(ledger: Ledger) -> int:
    with ledger.read() as uow:
        return len(uow.sessions.list(limit=1000))


def deep(levels: int) -> Any:
    return [] if levels == 0 else [deep(levels - 1)]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_bad_record_does_not_lose_the_rest(ledger: Ledger, tmp_path: Path, dry_run: bool) -> None:
    path = write(
        tmp_path / "chats.jsonl",
        GOOD,
        "{broken",
        {"messages": [{"role": "user", "content": "a\u0000secret"}]},
        {"nothing": "secret"},
        {"messages": [*CHAT, {"role": "user", "content": "x", "extra": deep(70)}]},
        '{"messages":[{"role":"user","content":"x","n":1e999}]}',
        {"messages": CHAT, "": "metadata without a name"},
        {"messages": [*CHAT, "secret"]},
        GOOD,
    )
    report = import_file(ledger, path, dry_run=dry_run, strict=True)
    assert (2, 2 * len(CHAT), 7, dry_run) == (report.conversations, report.messages, report.failed, report.dry_run)
    assert [2, 3, 4, 5, 6, 7, 8] == [failure.line for failure in report.failures]
    reasons = [failure.reason for failure in report.failures]
    for index, expected in enumerate(
        ["is not JSON", "messages[0].content", "no list of messages", f"messages[{len(CHAT)}].payload", "infinity",
         "metadata", f"messages[{len(CHAT)}]"]
    ):  # fmt: skip
        assert expected in reasons[index]
    assert "secret" not in "".join(reasons)
    assert (0 if dry_run else 2) == count(ledger)
    assert len(report.session_ids) == count(ledger)


def test_a_ledger_that_fails_ends_the_import(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ReadOnly("no")

    monkeypatch.setattr(importer.Importer, "_write", refuse)
    with pytest.raises(ReadOnly):
        import_file(ledger, write(tmp_path / "chats.jsonl", GOOD))


def test_a_long_conversation_is_stored_whole_or_not_at_all(ledger: Ledger, tmp_path: Path) -> None:
    turns: list[Any] = [{"role": "user", "content": f"message {n}"} for n in range(2500)]
    report = import_file(ledger, write(tmp_path / "long.jsonl", *turns))
    assert (1, 2500) == (report.conversations, report.messages)
    stored = messages_of(ledger, report.session_ids[0])
    assert [turn["content"] for turn in turns] == [message.content for message in stored]
    turns[2300] = {"role": "user", "content": "x", "extra": deep(70)}
    for form in ("long.jsonl", "long.json"):
        path = tmp_path / form
        path.write_text("\n".join(map(json.dumps, turns)) if form == "long.jsonl" else json.dumps(turns))
        report = import_file(ledger, path)
        assert (0, 0, 1) == (report.conversations, report.messages, report.failed)
        assert "messages[2300].payload" in report.failures[0].reason
        assert (2301 if form == "long.jsonl" else 1) == report.failures[0].line
    assert 1 == count(ledger)


def test_ids_that_are_taken(ledger: Ledger, tmp_path: Path) -> None:
    path = write(tmp_path / "chats.jsonl", {"session_id": "a", **GOOD}, {"session_id": "b", **GOOD})
    assert ("a", "b") == import_file(ledger, path).session_ids
    for dry_run in (True, False):
        report = import_file(ledger, path, dry_run=dry_run, on_conflict="error")
        assert (0, 2, 0) == (report.conversations, report.failed, report.skipped)
        report = import_file(ledger, path, on_conflict="skip", dry_run=dry_run)
        assert (0, 0, 2, 0) == (report.conversations, report.failed, report.skipped, report.messages)
    assert 2 == import_file(ledger, path, on_conflict="new", dry_run=True).conversations
    report = import_file(ledger, path, on_conflict="new")
    assert (2, 0) == (report.conversations, report.failed)
    assert {"a", "b"}.isdisjoint(report.session_ids)
    assert 4 == count(ledger)


def test_what_the_caller_says_replaces_what_the_file_says(ledger: Ledger, tmp_path: Path) -> None:
    path = write(tmp_path / "chats.jsonl", {**GOOD, "model": "theirs"})
    report = import_file(ledger, path, user_id="ada", project_id="p", model_id="mine")
    with ledger.read() as uow:
        session = uow.sessions.get(report.session_ids[0])
    assert ("ada", "p", "mine") == (session.user_id, session.project_id, session.model_id)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_user_imports_what_is_theirs(ledger: Ledger, tmp_path: Path, dry_run: bool) -> None:
    path = write(tmp_path / "chats.jsonl", GOOD)
    assert 1 == import_file(ledger.for_user("ada"), path, dry_run=dry_run).conversations
    report = import_file(ledger.for_user("ada"), path, user_id="bob", dry_run=dry_run)
    assert (0, 1) == (report.conversations, report.failed)
    with ledger.for_user("bob").read() as uow:
        assert 0 == len(uow.sessions.list())


def test_progress_ends_at_the_end(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_PAUSE", 0)
    path = write(tmp_path / "chats.jsonl", GOOD, "{broken", GOOD)
    told: list[Progress] = []
    import_file(ledger, path, progress=told.append)
    size = path.stat().st_size
    last = Progress(bytes_read=size, bytes_total=size, conversations=2, messages=2 * len(CHAT), failures=1)
    assert last == told[-1]
    assert sorted(step.messages for step in told) == [step.messages for step in told]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (CHAT, Format.OPENAI),
        (CHAT[0], Format.OPENAI),
        ({"messages": []}, Format.OPENAI),
        ({"trajectory": [{"action": "ls"}], "history": CHAT}, Format.OPENAI),
        ({"conversations": SHAREGPT}, Format.SHAREGPT),
        ({"conversations": CHAT}, Format.OPENAI),
        (SHAREGPT[0], Format.SHAREGPT),
        (chatgpt(node("a", None), messages=CHAT), Format.CHATGPT),
        (chatgpt(node("a", None)) | {"conversations": []}, Format.CHATGPT),
        ({"mapping": {}, "current_node": None}, Format.CHATGPT),
        (claude(said("a")), Format.CLAUDE),
        (claude(), Format.CLAUDE),
        ({"chat_messages": CHAT}, Format.OPENAI),
        (oasst(reply("p")), Format.OASST),
        ({"prompt": {"role": "user"}, "messages": CHAT}, Format.OPENAI),
    ],
)
def test_formats_are_found_out(migrated_sqlite_url: str, tmp_path: Path, first: Any, expected: Format) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        report = import_file(ledger, write(tmp_path / "file", first))
    assert (expected, 1, 0) == (report.format, report.conversations, report.failed)


@pytest.mark.parametrize("text", ['{"turns": ["a", "b"]}', "[1, 2]", "[]", '{"mapping": {}}', '{"type": "header"}'])
def test_unknown_formats_are_refused_by_naming_the_known(migrated_sqlite_url: str, tmp_path: Path, text: str) -> None:
    with (
        Ledger(migrated_sqlite_url) as ledger,
        pytest.raises(InvalidInput, match=r"openai .* sharegpt .* jsonl .* chatgpt .* claude .* oasst"),
    ):
        import_file(ledger, write(tmp_path / "file", text))


def test_a_file_that_cannot_be_read_at_all_is_an_error(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        path = write(tmp_path / "file", '{"messages": [')
        for form in Format:
            with pytest.raises(InvalidInput, match="cannot be read: its first record is not JSON"):
                import_file(ledger, path, format=form)
        for wrong in ({"format": "csv"}, {"on_conflict": "merge"}):
            with pytest.raises(InvalidInput, match="is not one of"):
                import_file(ledger, path, **wrong)  # type: ignore[arg-type]
