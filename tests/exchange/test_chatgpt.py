"""ChatGPT's exports: nothing that they know is dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, ToolCall
from chatledger.exchange import Format, ImportReport, import_file
from chatledger.exchange.readers.apps.chatgpt_content import text_and_payload
from tests.exchange.exports import EPOCH, chatgpt, document, node, silent
from tests.exchange.files import messages_of

AT = datetime.fromtimestamp(EPOCH, UTC)


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def read(ledger: Ledger, tmp_path: Path, *conversations: Any) -> ImportReport:
    report = import_file(ledger, document(tmp_path / "conversations.json", list(conversations)))
    assert Format.CHATGPT == report.format
    return report


def contents(ledger: Ledger, session_id: str) -> list[str]:
    return [message.content for message in messages_of(ledger, session_id)]


def test_the_path_to_the_current_node_is_the_session_and_the_others_are_its_forks(
    ledger: Ledger, tmp_path: Path
) -> None:
    record = chatgpt(
        silent("root"), node("a", "root"), node("b", "a"), node("c1", "b"), node("c2", "b"), node("d", "c1"),
        node("a2", "root"), current="c2",
    )  # fmt: skip
    report = read(ledger, tmp_path, record)
    assert (1, 2, 6, 0) == (report.conversations, report.forks, report.messages, report.failed)
    assert ("c", "c:d", "c:a2") == report.session_ids
    assert ["a", "b", "c2"] == contents(ledger, "c")
    assert ["a", "b", "c1", "d"] == contents(ledger, "c:d")
    assert ["a2"] == contents(ledger, "c:a2")
    with ledger.read() as uow:
        main, fork, other = (uow.sessions.get(name) for name in report.session_ids)
    assert (None, None) == (main.forked_from, main.forked_at)
    assert ("c", 2, "Trip") == (fork.forked_from, fork.forked_at, fork.title)
    # Nothing of the conversation stands before it: a fork of nothing, which says where it belongs.
    assert (None, "c", "Trip") == (other.forked_from, other.metadata["branch_of"], other.title)
    assert "branch_of" not in fork.metadata


@pytest.mark.parametrize("current", [None, "gone", 7, "root"])
def test_without_a_current_node_the_last_answers_are_followed(ledger: Ledger, tmp_path: Path, current: Any) -> None:
    record = chatgpt(silent("root"), node("a", "root"), node("b1", "a"), node("b2", "a"), current=current)
    assert ("c", "c:b1") == read(ledger, tmp_path, record).session_ids
    assert ["a", "b2"] == contents(ledger, "c")


def test_a_message_keeps_what_no_column_has(ledger: Ledger, tmp_path: Path) -> None:
    called = node(
        "a", "root", role="assistant", text='{"q": 1}', recipient="browser", weight=0, end_turn=False, channel=None
    )
    called["message"]["metadata"] = {
        "model_slug": "gpt-4",
        "citations": [{"start_ix": 1}],
        "is_visually_hidden_from_conversation": True,
    }
    answered = node("b", "a", role="tool", create_time=EPOCH + 0.25, update_time=EPOCH + 1)
    answered["message"] |= {"id": "other", "author": {"role": "tool", "name": "browser", "metadata": {"real": "x"}}}
    answered["extra"] = [1]
    read(ledger, tmp_path, chatgpt(silent("root"), called, answered, current="b"))
    first, second = messages_of(ledger, "c")
    assert ("assistant", '{"q": 1}', True, "gpt-4", "a", AT) == (
        first.role, first.content, first.hidden, first.model_id, first.key, first.created_at,
    )  # fmt: skip
    assert (ToolCall(id="a", name="browser", arguments={"q": 1}),) == first.tool_calls
    assert {"tool_calls"} == first.payload.keys()
    assert {
        "recipient": "browser",
        "weight": 0,
        "end_turn": False,
        "metadata": called["message"]["metadata"],
        "node": {"parent": "root"},
    } == first.metadata
    assert ("tool", "browser", "b", 250_000) == (second.role, second.name, second.key, second.created_at.microsecond)
    assert ("a", False) == (second.tool_call_id, second.hidden)
    assert {
        "id": "other",
        "update_time": EPOCH + 1,
        "author": {"metadata": {"real": "x"}},
        "node": {"parent": "a", "extra": [1]},
    } == second.metadata


def test_a_conversation_keeps_what_no_column_has(ledger: Ledger, tmp_path: Path) -> None:
    answer = node("a", "root", role="assistant", metadata={"model_slug": "o3"})
    record = chatgpt(
        silent("root"), answer, current="a", conversation_id="own", default_model_slug="auto", gizmo_id=None,
        is_archived=True, safe_urls=[],
    )  # fmt: skip
    record["mapping"]["root"]["children"].append("lost")
    read(ledger, tmp_path, record)
    with ledger.read() as uow:
        session = uow.sessions.get("own")
    assert ("Trip", "o3", AT, True) == (session.title, session.model_id, session.created_at, session.is_open)
    assert {
        "id": "c",
        "conversation_id": "own",
        "create_time": EPOCH,
        "current_node": "a",
        "default_model_slug": "auto",
        "is_archived": True,
        "safe_urls": [],
        # A child that is not there cannot be told from the messages.
        "mapping": {"root": {"children": ["a", "lost"]}},
    } == session.metadata


@pytest.mark.parametrize("time", [-1, 0, 10**11, 1e300, "2026-05-01T09:00:00", True, None])
def test_a_time_that_says_nothing_certain_is_kept_and_the_message_stands_at_the_one_before(
    ledger: Ledger, tmp_path: Path, time: Any
) -> None:
    read(ledger, tmp_path, chatgpt(node("a", None), node("b", "a", create_time=time), current="b", create_time=time))
    first, second = messages_of(ledger, "c")
    assert (AT, AT) == (first.created_at, second.created_at)
    assert ("create_time" not in first.metadata, time) == (True, second.metadata["create_time"])
    with ledger.read() as uow:
        session = uow.sessions.get("c")
    assert (AT, time) == (session.created_at, session.metadata.get("create_time"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "text", "parts": ["a", "b"]}, "a\nb"),
        ({"content_type": "text", "parts": []}, ""),
        ({"content_type": "multimodal_text", "parts": [{"asset_pointer": "file://x"}, "what?"]}, "what?"),
        ({"content_type": "multimodal_text", "parts": [{"content_type": "audio_transcription", "text": "hm"}]}, "hm"),
        ({"content_type": "code", "language": "python", "text": "print(1)"}, "print(1)"),
        ({"content_type": "execution_output", "text": "1"}, "1"),
        ({"content_type": "tether_browsing_display", "result": "page", "summary": None, "assets": []}, "page"),
        ({"content_type": "tether_quote", "url": "u", "domain": "d", "text": "q", "title": "t"}, "t\nq"),
        ({"content_type": "user_editable_context", "user_profile": "me", "user_instructions": "brief"}, "me\nbrief"),
        ({"content_type": "not_known_yet", "value": {"deep": [1]}}, ""),
        ({"content_type": "text", "parts": None}, ""),
        ([1], ""),
        (None, ""),
    ],
)
def test_content_of_each_type_is_kept_whole_with_its_text(content: Any, text: str) -> None:
    assert (text, {"source_format": "chatgpt", "content": content}) == text_and_payload(content)


@pytest.mark.parametrize(
    ("content", "thoughts"),
    [
        (
            {"content_type": "thoughts", "thoughts": [{"summary": "Plan", "content": "Go"}, {}, 5, "so"]},
            ["Plan\nGo", "so"],
        ),
        ({"content_type": "thoughts", "parts": ["as parts"]}, ["as parts"]),
        ({"content_type": "reasoning_recap", "content": "Thought for 5s"}, ["Thought for 5s"]),
    ],
)
def test_thoughts_are_reasoning_and_no_text(content: Any, thoughts: list[str]) -> None:
    text, payload = text_and_payload(content)
    assert "" == text
    assert {
        "reasoning": [{"text": thought} for thought in thoughts], "source_format": "chatgpt", "content": content
    } == payload  # fmt: skip


def test_a_hidden_profile_gives_no_title(ledger: Ledger, tmp_path: Path) -> None:
    profile = node("p", "s", content={"content_type": "user_editable_context", "user_profile": "My name is Ada."})
    shown = node("q", "p", text="Where to in May?")
    record = chatgpt(node("s", None, role="system", text=""), profile, shown, current="q", title=None)
    report = read(ledger, tmp_path, record)
    with ledger.read() as uow:
        assert "Where to in May?" == uow.sessions.get(report.session_ids[0]).title
    found = messages_of(ledger, "c")
    assert [True, True, False] == [message.hidden for message in found]
    assert "My name is Ada." == found[1].content


def test_one_plain_text_needs_no_payload() -> None:
    assert ("Hi", None) == text_and_payload({"content_type": "text", "parts": ["Hi"]})
    assert ("Hi", None) == text_and_payload("Hi")


def test_a_message_without_content(ledger: Ledger, tmp_path: Path) -> None:
    empty = node("a", None, content=None)
    bare = {"id": "b", "parent": "a", "message": {"author": {"role": "user"}}}
    read(ledger, tmp_path, chatgpt(empty, {**bare, "children": []}, current="b"))
    assert [("", {"source_format": "chatgpt", "content": None}), ("", None)] == [
        (one.content, one.payload) for one in messages_of(ledger, "c")
    ]


def test_a_parent_that_is_not_there_is_the_beginning(ledger: Ledger, tmp_path: Path) -> None:
    record = chatgpt(node("a", "gone"), node("b", "a"), node("x", "gone"), current="b")
    assert ("c", "c:x") == read(ledger, tmp_path, record).session_ids
    assert ["a", "b"] == contents(ledger, "c")
    assert {"node": {"parent": "gone"}} == messages_of(ledger, "c")[0].metadata


def test_nodes_that_name_no_parent_have_the_one_that_lists_them(ledger: Ledger, tmp_path: Path) -> None:
    record = chatgpt(node("a", None), node("b2", "a"), node("b1", "a"), current="b1")
    for name in ("b1", "b2"):
        del record["mapping"][name]["parent"]
    record["mapping"]["a"]["children"] = ["b1", "b2"]
    assert ("c", "c:b2") == read(ledger, tmp_path, record).session_ids
    assert ["a", "b2"] == contents(ledger, "c:b2")


def test_a_conversation_without_messages(ledger: Ledger, tmp_path: Path) -> None:
    report = read(ledger, tmp_path, chatgpt(silent("root"), current="root"), chatgpt(id="d"))
    assert (2, 0, 0) == (report.conversations, report.forks, report.messages)
    with ledger.read() as uow:
        assert {"root": {}} == uow.sessions.get("c").metadata["mapping"]


def test_a_conversation_without_an_id_gets_a_new_one(ledger: Ledger, tmp_path: Path) -> None:
    record = chatgpt(node("a", None), node("b", "a"), node("b2", "a"), current="b", id="x" * 256)
    first, second = (read(ledger, tmp_path, record).session_ids for _ in range(2))
    assert (2, 2, 4) == (len(first), len(second), len({*first, *second}))
    with ledger.read() as uow:
        assert [first[0], second[0]] == [uow.sessions.get(name).forked_from for name in (first[1], second[1])]


def test_ids_that_are_too_long_for_a_column(ledger: Ledger, tmp_path: Path) -> None:
    long = "n" * 300
    record = chatgpt(node("a", None), node(long, "a"), node("b", "a"), current="b")
    _, fork = read(ledger, tmp_path, record).session_ids
    assert 32 == len(fork)
    last = messages_of(ledger, fork)[-1]
    assert (None, {"parent": "a", "id": long}) == (last.key, last.metadata["node"])
    again = import_file(ledger, tmp_path / "conversations.json", on_conflict="skip")
    assert (0, 1) == (again.conversations, again.skipped)


BROKEN: list[tuple[Any, str]] = [
    ({"mapping": []}, "has no 'mapping'"),
    ([], "has no 'mapping'"),
    (chatgpt(node("a", "b"), node("b", "a"), current="a"), "mapping: holds messages that answer themselves"),
    (chatgpt(node("a", None), node("s", "s"), current="a"), "mapping: holds messages that answer themselves"),
    ({"mapping": {"a": 1}}, r"mapping[0]: is not an object"),
    ({"mapping": {"a": {"message": "secret"}}}, r"mapping[0].message: is not an object"),
    (chatgpt(node("a", None), node("b", "a", author=None), current="b"), "mapping[1].message.author.role"),
    (chatgpt(node("a", None, role="secret"), current="a"), "mapping[0].message.author.role: is not one of system"),
    (chatgpt(node("a", None, text="secret\0"), current="a"), "mapping[0].message.content: holds a NUL"),
    (chatgpt(node("a", None, text="secret\ud800"), current="a"), "mapping[0].message.content: holds a lone surrogate"),
    (chatgpt(node("a", None, status="\0"), current="a"), "messages[0].metadata: holds a NUL"),
    (chatgpt(node("a", None), node("\ud800", "a"), current="a"), "surrogate"),
    (chatgpt(node("a", None), current="a", id="c\0"), "session_id: holds a NUL"),
    (chatgpt(node("a", None), current="a", note="\0"), "metadata.note: holds a NUL"),
    (chatgpt(node("a", None, create_time=float("nan")), current="a"), "holds NaN"),
    ('{"mapping": {"a": {}, "a": {}}}', "record: holds an object in which a name stands twice"),
    ('{"mapping": {}, "create_time": 1e999}', "metadata.create_time: holds NaN or an infinity"),
    (chatgpt(node("a", None), node("b", "a"), node("b2", "a", text="\0"), current="b"), "mapping[2].message.content"),
    (
        chatgpt(node("a", None), node("b", "a"), node("b1", "a"), node("b2", "b1", status="\0"), current="b"),
        "forks[0].messages[1].metadata: holds a NUL",
    ),
]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("broken", "reason"), BROKEN)
def test_what_is_broken_is_named_and_the_others_are_imported(
    ledger: Ledger, tmp_path: Path, broken: Any, reason: str, dry_run: bool
) -> None:
    path = document(tmp_path / "conversations.json", [chatgpt(node("x", None), id="first", current="x"), "BROKEN"])
    text = path.read_text()
    path.write_text(text.replace('"BROKEN"', broken if isinstance(broken, str) else json.dumps(broken)))
    report = import_file(ledger, path, dry_run=dry_run, strict=True)
    assert (1, 0, 1, 1) == (report.conversations, report.forks, report.messages, report.failed)
    assert reason in str(report.failures[0])
    assert "secret" not in str(report.failures[0])
    with ledger.read() as uow:
        assert ([] if dry_run else ["first"]) == [session.session_id for session in uow.sessions.list()]


def test_the_published_samples(ledger: Ledger, shared_data: Path) -> None:
    folder = shared_data / "chatgpt_export"
    report = import_file(ledger, folder / "native-conversation-v1.json")
    assert (Format.CHATGPT, 1, 1, 8, 0) == (
        report.format, report.conversations, report.forks, report.messages, report.failed,
    )  # fmt: skip
    main, fork = report.session_ids
    assert 7 == len(messages_of(ledger, main))
    assert "Superseded answer." == messages_of(ledger, fork)[-1].content
    assert "image_asset_pointer" == messages_of(ledger, main)[1].payload["content"]["parts"][1]["content_type"]
    report = import_file(ledger, folder / "example-conversation.json")
    assert (1, 1, 6) == (report.conversations, report.forks, report.messages)
    with ledger.read() as uow:
        fork_session = uow.sessions.get("conv-123:msg-5")
        assert ("conv-123", 3) == (fork_session.forked_from, fork_session.forked_at)
        assert ["conv-123:msg-5"] == [hit.session_id for hit in uow.search.messages("Python instead")]
