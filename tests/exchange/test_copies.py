"""Imported branches hold copies, and our own files bring copies back as copies."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from chatledger import Ledger, Message
from chatledger.exchange import export_sessions, import_file
from tests.exchange.exports import document, oasst, reply
from tests.exchange.files import messages_of

Place = tuple[str | None, int | None]
OWN: Place = (None, None)


def origins(ledger: Ledger, session_id: str) -> list[Place]:
    return [(one.copied_from, one.copied_sequence) for one in messages_of(ledger, session_id)]


def every_message(ledger: Ledger) -> list[Message]:
    with ledger.read() as uow:
        return [one for chat in uow.sessions.list(limit=1000) for one in uow.messages.history(chat.session_id)]


def require_each_once(ledger: Ledger) -> None:
    """Each message of a file, known by its key, has one original, and every copy names it."""
    every = every_message(ledger)
    at = {(one.session_id, one.sequence_number): one for one in every}
    assert {1} == set(Counter(one.key for one in every if one.copied_from is None).values())
    for one in every:
        if one.copied_from is not None and one.copied_sequence is not None:
            original = at[one.copied_from, one.copied_sequence]
            assert (one.key, one.content, None) == (original.key, original.content, original.copied_from)
    assert ledger.check().ok


def test_what_branches_share_beside_the_conversation_is_copied_once(ledger: Ledger, tmp_path: Path) -> None:
    tree = reply("b2", reply("c1", reply("d1"), reply("d2")), reply("c2"))
    path = document(tmp_path / "file.json", [oasst(reply("a", reply("b"), tree, role="prompter"), message_tree_id="t")])
    report = import_file(ledger, path)
    assert (1, 3, 0) == (report.conversations, report.forks, report.failed)
    d1, d2, c2 = report.session_ids[1:]
    assert [("t", 1), OWN, OWN, OWN] == origins(ledger, d1)
    assert [("t", 1), (d1, 2), (d1, 3), OWN] == origins(ledger, d2)
    assert [("t", 1), (d1, 2), OWN] == origins(ledger, c2)
    require_each_once(ledger)


@pytest.mark.parametrize(
    "name",
    [
        "oasst/en_100_tree.first40.jsonl",
        "chatgpt_export/example-conversation.json",
        "chatgpt_export/native-conversation-v1.json",
    ],
)
def test_each_message_of_a_real_file_has_one_original(ledger: Ledger, shared_data: Path, name: str) -> None:
    path = shared_data / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    assert import_file(ledger, path).failed == 0
    require_each_once(ledger)
    every = every_message(ledger)
    with ledger.read() as uow:
        assert len({one.key for one in every}) == uow.statistics.overview().messages


def test_a_real_prompt_is_found_once(ledger: Ledger, shared_data: Path) -> None:
    path = shared_data / "oasst" / "en_100_tree.first40.jsonl"
    if not path.is_file():
        pytest.skip(f"no {path}")
    import_file(ledger, path)
    trees = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    most = max(trees, key=lambda tree: len(tree["prompt"]["replies"]))
    words = " ".join(most["prompt"]["text"].split()[:8])
    with ledger.read() as uow:
        [hit] = uow.search.messages(f'"{words}"', role="user")
        assert len(uow.search.messages(f'"{words}"', role="user", include_copies=True, limit=200)) > 5
    assert hit.snippet


@pytest.fixture
def forked(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.sessions.create("trunk", user_id="ada")
        uow.messages.append_many("trunk", [{"role": "user", "content": f"otter {n}"} for n in range(5)])
        uow.messages.pop("trunk")
        uow.messages.append("trunk", "user", "behind a gap")
        uow.sessions.fork("trunk", new_session_id="fork")
        uow.sessions.fork("fork", new_session_id="branch", at=3)
        uow.messages.append("branch", "user", "on")
    return ledger


def exported(ledger: Ledger, path: Path, names: list[str], layout: str = "jsonl") -> Path:
    with path.open("w", encoding="utf-8") as out:
        export_sessions(ledger, out, format=layout, session_ids=names)
    return path


@pytest.mark.parametrize("layout", ["jsonl", "json"])
@pytest.mark.parametrize(
    "names", [["trunk", "fork", "branch"], ["branch", "fork", "trunk"], ["fork", "trunk", "branch"]]
)
def test_copies_come_back_in_any_order(
    forked: Ledger, sqlite_url: str, tmp_path: Path, names: list[str], layout: str
) -> None:
    path = exported(forked, tmp_path / "file.jsonl", names, layout)
    with Ledger(sqlite_url.replace("chat.db", "other.db")) as other:
        assert 0 == import_file(other, path).failed
        # Numbers close the gap, on both sides.
        assert [OWN] * 5 == origins(other, "trunk")
        assert [("trunk", n) for n in range(1, 6)] == origins(other, "fork")
        assert [("trunk", 1), ("trunk", 2), ("trunk", 3), OWN] == origins(other, "branch")
        assert other.check().ok
        with other.read() as uow:
            assert 6 == uow.statistics.overview().messages


def test_the_first_copy_is_the_original_where_that_is_not_in_the_file(
    forked: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    path = exported(forked, tmp_path / "file.jsonl", ["fork", "branch"])
    with Ledger(sqlite_url.replace("chat.db", "other.db")) as other:
        import_file(other, path)
        assert [OWN] * 5 == origins(other, "fork")
        assert [("fork", 1), ("fork", 2), ("fork", 3), OWN] == origins(other, "branch")
        assert other.check().ok


def test_new_ids_are_followed(forked: Ledger, sqlite_url: str, tmp_path: Path) -> None:
    path = exported(forked, tmp_path / "file.jsonl", ["trunk", "fork"])
    with Ledger(sqlite_url.replace("chat.db", "other.db")) as other:
        with other.begin() as uow:
            uow.sessions.create("trunk")
        trunk, fork = import_file(other, path, on_conflict="new").session_ids
        assert "fork" == fork
        assert [(trunk, n) for n in range(1, 6)] == origins(other, "fork")


def test_a_copy_names_nothing_that_its_owner_cannot_see(forked: Ledger, tmp_path: Path) -> None:
    path = exported(forked, tmp_path / "file.jsonl", ["fork"])
    report = import_file(forked.for_user("bob"), path, user_id="bob", on_conflict="new")
    assert [OWN] * 5 == origins(forked, report.session_ids[0])


def test_a_copy_is_one_only_of_what_is_the_same(forked: Ledger, sqlite_url: str, tmp_path: Path) -> None:
    path = exported(forked, tmp_path / "file.jsonl", ["fork"])
    with Ledger(sqlite_url.replace("chat.db", "other.db")) as other:
        with other.begin() as uow:
            uow.sessions.create("trunk")
            uow.messages.append_many("trunk", [{"role": "user", "content": "another"}] * 6)
        import_file(other, path)
        assert [OWN] * 5 == origins(other, "fork")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"copied_from": "a"}, "copied_sequence"),
        ({"copied_sequence": 1}, "copied_sequence"),
        ({"copied_from": "a", "copied_sequence": 0}, "copied_sequence"),
        ({"copied_from": 5, "copied_sequence": 1}, "copied_from"),
    ],
)
def test_half_an_origin_is_refused(ledger: Ledger, tmp_path: Path, fields: dict[str, object], said: str) -> None:
    message = {"sequence_number": 1, "role": "user", "content": "x", **fields}
    chat = {"session_id": "s", "status": "active", "message_count": 1, "messages": [message]}
    report = import_file(ledger, document(tmp_path / "file.json", [chat]))
    assert 1 == report.failed
    assert said in report.failures[0].reason
