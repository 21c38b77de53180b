"""OpenAssistant's trees: the best replies are the session, the others its forks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import Format, ImportReport, import_file
from tests.exchange.exports import document, oasst, reply
from tests.exchange.files import messages_of, write


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def read(ledger: Ledger, tmp_path: Path, *trees: Any) -> ImportReport:
    report = import_file(ledger, write(tmp_path / "trees.jsonl", *trees))
    assert Format.OASST == report.format
    return report


def test_the_best_ranked_path_is_the_session(ledger: Ledger, tmp_path: Path) -> None:
    tree = oasst(
        reply(
            "p", reply("third", rank=2),
            reply("best", reply("q1", role="prompter"), reply("q2", role="prompter"), rank=0),
            reply("unranked", rank=None), reply("second", rank=1), role="prompter",
        )
    )  # fmt: skip
    report = read(ledger, tmp_path, tree)
    assert ("t", "t:q2", "t:second", "t:third", "t:unranked") == report.session_ids
    assert (1, 4, 7) == (report.conversations, report.forks, report.messages)
    assert [("user", "p"), ("assistant", "best"), ("user", "q1")] == [
        (one.role.value, one.content) for one in messages_of(ledger, "t")
    ]
    assert ["p", "best", "q2"] == [one.key for one in messages_of(ledger, "t:q2")]
    with ledger.read() as uow:
        found = [uow.sessions.get(name) for name in report.session_ids]
    assert [("t", 2), ("t", 1), ("t", 1), ("t", 1)] == [(one.forked_from, one.forked_at) for one in found[1:]]
    assert ("p", {"message_tree_id": "t", "tree_state": "ready_for_export"}) == (found[0].title, found[0].metadata)


def test_a_message_keeps_what_people_said_of_it(ledger: Ledger, tmp_path: Path) -> None:
    about = {
        "parent_id": None, "user_id": "u", "lang": "en", "review_count": 3, "review_result": True, "deleted": False,
        "rank": 0, "synthetic": True, "emojis": {"+1": 3}, "labels": {"spam": {"value": 0.0, "count": 3}},
        "detoxify": {"toxicity": 0.1},
    }  # fmt: skip
    prompt = reply("p", role="prompter", model_name="chip20b", created_date="2023-02-05T14:23:50.983374+00:00", **about)
    read(ledger, tmp_path, oasst(prompt))
    (found,) = messages_of(ledger, "t")
    assert {name: value for name, value in about.items() if value is not None} == found.metadata
    assert ("p", "chip20b", None, 983374) == (found.key, found.model_id, found.payload, found.created_at.microsecond)
    with ledger.read() as uow:
        assert found.created_at == uow.sessions.get("t").created_at


def test_a_message_without_text(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, oasst(reply("p", role="prompter", text=None, created_date="yesterday")))
    (found,) = messages_of(ledger, "t")
    assert ("", {"text": None}, {"created_date": "yesterday"}) == (found.content, found.payload, found.metadata)


def test_a_deep_tree_is_read_or_refused_by_name(ledger: Ledger, tmp_path: Path) -> None:
    def nested(depth: int) -> str:
        opened = [
            f'{{"message_id": "{number}", "text": "x", "role": "assistant", "replies": [' for number in range(depth)
        ]
        return f'{{"message_tree_id": "t{depth}", "prompt": {"".join(opened)}{"]}" * depth}}}'

    report = read(ledger, tmp_path, nested(300), nested(100_000), oasst(reply("p", role="prompter")))
    assert (2, 301, 1) == (report.conversations, report.messages, report.failed)
    assert "record 2, line 2: record: is nested too deeply" == str(report.failures[0])


BROKEN: list[tuple[Any, str]] = [
    ({"message_tree_id": "t", "prompt": None}, "has no 'prompt'"),
    (oasst({"message_id": "p"}), "message 0.role: is not one of prompter, assistant"),
    (oasst(reply("p", "secret")), "message 1: is not an object"),  # type: ignore[arg-type]
    (oasst({**reply("p"), "replies": {"a": 1}}), "message 0.replies: is not a list"),
    (oasst(reply("p", reply("a"), reply("a"))), "message 2.message_id: is that of an earlier message as well"),
    (oasst(reply("p", reply("a"), reply("b", text="secret\0"))), "message 2.content: holds a NUL"),
    (oasst(reply("p", reply("a", lang="\ud800"))), "messages[1].metadata: holds a lone surrogate"),
    (json.dumps(oasst(reply("p", reply("a", rank=7)))).replace("7", "1e999"), "messages[1].metadata: holds NaN"),
]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_broken_is_named_and_the_others_are_imported(ledger: Ledger, tmp_path: Path, dry_run: bool) -> None:
    trees = [
        oasst(reply("p"), message_tree_id="first"),
        *(broken for broken, _ in BROKEN),
        oasst(reply("p"), message_tree_id="last"),
    ]
    report = import_file(ledger, write(tmp_path / "trees.jsonl", *trees), dry_run=dry_run, strict=True)
    assert (2, len(BROKEN)) == (report.conversations, report.failed)
    for failure, (_, reason) in zip(report.failures, BROKEN, strict=True):
        assert reason in failure.reason
        assert "secret" not in failure.reason


def test_one_tree_as_one_document(ledger: Ledger, tmp_path: Path) -> None:
    report = import_file(ledger, document(tmp_path / "tree.json", oasst(reply("p"))))
    assert (Format.OASST, 1) == (report.format, report.conversations)


def test_the_published_trees(ledger: Ledger, shared_data: Path) -> None:
    path = shared_data / "oasst" / "en_100_tree.first40.jsonl"
    report = import_file(ledger, path)
    assert (Format.OASST, 40, 186, 0) == (report.format, report.conversations, report.forks, report.failed)
    trees = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts, ends, ahead = {}, 0, [tree["prompt"] for tree in trees]
    while ahead:
        message = ahead.pop()
        texts[message["message_id"]] = message["text"]
        ends += not message["replies"]
        ahead += message["replies"]
    assert ends == len(report.session_ids)
    found = {one.key: one.content for name in report.session_ids for one in messages_of(ledger, name)}
    assert texts == found
