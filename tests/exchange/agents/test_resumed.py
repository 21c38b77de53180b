"""Sessions of Claude Code that were resumed into a new file, which repeats the messages of the old one."""

from __future__ import annotations

import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import ImportReport, import_file
from tests.exchange.agents.test_claude_code import calls, result, says, user
from tests.exchange.files import messages_of, write

USAGE = {"input_tokens": 100, "output_tokens": 10}
# Long before any test runs, so that no response counts as still being written.
_OLD = (1_700_000_000, 1_700_000_000)


def history(prefix: str, session_id: str, **fields: Any) -> list[dict[str, Any]]:
    """A question, an answer with a tool, and a second answer, as they stand in the file of a session."""
    lines = [
        user(f"{prefix}u", None, "Why?"),
        says(f"{prefix}a", f"{prefix}u", calls("t"), id="m1", usage=USAGE, stop_reason="tool_use"),
        result(f"{prefix}r", f"{prefix}a", "t"),
        says(f"{prefix}b", f"{prefix}r", {"type": "text", "text": "So"}, id="m2", usage=USAGE, stop_reason="end_turn"),
    ]
    return [
        {**line, "sessionId": session_id, "timestamp": f"2026-05-01T09:00:0{second}.123Z", **fields}
        for second, line in enumerate(lines)
    ]


def more(uuid: str, parent: str, session_id: str, second: int, text: str = "More") -> list[dict[str, Any]]:
    """A later question and its answer."""
    lines = [
        user(f"{uuid}u", parent, text),
        says(f"{uuid}a", f"{uuid}u", {"type": "text", "text": text}, id=uuid, usage=USAGE, stop_reason="end_turn"),
    ]
    time = {"timestamp": f"2026-05-02T10:00:{second:02}.456Z"}
    return [{**line, "sessionId": session_id, **time} for line in lines]


def read(ledger: Any, folder: Path, name: str, lines: list[dict[str, Any]], **options: Any) -> ImportReport:
    path = write(folder / f"{name}.jsonl", *lines)
    os.utime(path, _OLD)
    report = import_file(ledger, path, **options)
    assert ((), ()) == (report.failures, report.warnings)
    return report


def total(ledger: Any) -> int:
    with ledger.read() as uow:
        return int(uow.statistics.overview().total_tokens)


def origins(ledger: Ledger, session_id: str) -> list[tuple[str | None, int | None]]:
    return [(message.copied_from, message.copied_sequence) for message in messages_of(ledger, session_id)]


def is_sound(ledger: Ledger) -> bool:
    return ledger.check().ok


@pytest.mark.parametrize("prefix", ["", "new-"], ids=["same lines", "lines with new ids"])
@pytest.mark.parametrize("order", list(permutations(["old", "resumed", "again"])), ids="-".join)
def test_usage_of_a_resumed_session_counts_once(
    ledger: Ledger, tmp_path: Path, prefix: str, order: tuple[str, ...]
) -> None:
    resumed = [*history(prefix, "resumed"), *more("c", f"{prefix}b", "resumed", 1)]
    again = [*({**line, "sessionId": "again"} for line in resumed), *more("d", "ca", "again", 2)]
    files = {"old": history("", "old"), "resumed": resumed, "again": again}
    for name in order:
        read(ledger, tmp_path, name, files[name])
    assert 4 * 110 == total(ledger)
    assert [4, 6, 8] == [len(messages_of(ledger, name)) for name in files]
    with ledger.read() as uow:
        assert 1 == len(uow.search.messages("why"))
        assert 2 * 110 == uow.sessions.get("old").total_tokens
    assert is_sound(ledger)


def test_copies_name_the_first_session_that_was_imported(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    read(ledger, tmp_path, "resumed", [*history("x", "resumed"), *more("c", "xb", "resumed", 1)])
    assert [*(("old", number) for number in range(1, 5)), (None, None), (None, None)] == origins(ledger, "resumed")


def test_a_resumed_session_that_goes_on_is_extended(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    read(ledger, tmp_path, "resumed", history("x", "resumed"))
    grown = [*history("x", "resumed"), *more("c", "xb", "resumed", 1)]
    report = read(ledger, tmp_path, "resumed", grown)
    assert (0, 1, 2) == (report.conversations, report.extended, report.messages)
    assert 0 == read(ledger, tmp_path, "resumed", grown).messages
    assert 3 * 110 == total(ledger)


def test_a_session_may_be_extended_by_what_was_imported_with_the_resumed_one(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    grown = [*history("", "old"), *more("c", "b", "old", 1)]
    read(ledger, tmp_path, "resumed", [{**line, "sessionId": "resumed"} for line in grown])
    read(ledger, tmp_path, "old", grown)
    assert [*[(None, None)] * 4, ("resumed", 5), ("resumed", 6)] == origins(ledger, "old")
    assert 3 * 110 == total(ledger)
    assert is_sound(ledger)


@pytest.mark.parametrize("at_once", [True, False])
def test_forks_of_a_resumed_session_name_the_original_too(ledger: Ledger, tmp_path: Path, at_once: bool) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    lines = [*history("x", "resumed"), *more("c", "xb", "resumed", 1), *more("d", "xb", "resumed", 2, "Else")]
    if not at_once:
        read(ledger, tmp_path, "resumed", lines[:-2])
    (fork,) = {"resumed:ca", "resumed:da"} & set(read(ledger, tmp_path, "resumed", lines).session_ids)
    for name in ("resumed", fork):
        assert [*(("old", number) for number in range(1, 5)), (None, None), (None, None)] == origins(ledger, name)
    assert 4 * 110 == total(ledger)
    assert is_sound(ledger)


def test_branches_that_were_repeated_with_their_session(ledger: Ledger, tmp_path: Path) -> None:
    """A fork of the resumed session has messages of its session, and messages of the old session's fork."""
    old = [*history("", "old"), *more("c", "a", "old", 1), *more("d", "ca", "old", 2), *more("e", "ca", "old", 3)]
    read(ledger, tmp_path, "old", old)
    once = total(ledger)
    read(ledger, tmp_path, "resumed", [{**line, "sessionId": "resumed"} for line in old])
    assert 5 * 110 == once == total(ledger)
    assert is_sound(ledger)


def test_usage_stays_when_the_original_is_deleted(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    read(ledger, tmp_path, "resumed", history("x", "resumed"))
    with ledger.begin() as uow:
        uow.sessions.delete("old")
    assert [(None, None)] * 4 == origins(ledger, "resumed")
    assert 2 * 110 == total(ledger)


@pytest.mark.parametrize(
    "other",
    [{"timestamp": "2026-05-01T09:00:00.124Z"}, {"cwd": "/home/ada/y"}],
    ids=["another time", "another project"],
)
def test_the_same_words_elsewhere_are_no_copies(ledger: Ledger, tmp_path: Path, other: dict[str, str]) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    read(ledger, tmp_path, "other", history("", "other", **other))
    assert [(None, None)] * 4 == origins(ledger, "other")
    assert 4 * 110 == total(ledger)


def test_another_users_session_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"), user_id="ada")
    read(ledger, tmp_path, "bobs", history("x", "bobs"), user_id="bob")
    read(ledger, tmp_path, "carols", history("y", "carols"), user_id="carol")
    assert [(None, None)] * 8 == origins(ledger, "bobs") + origins(ledger, "carols")
    read(ledger.for_user("bob"), tmp_path, "more", history("z", "more"))
    assert [("bobs", number) for number in range(1, 5)] == origins(ledger, "more")


def test_what_is_stored_under_a_new_id_is_no_copy(ledger: Ledger, tmp_path: Path) -> None:
    read(ledger, tmp_path, "old", history("", "old"))
    (name,) = read(ledger, tmp_path, "old", history("", "old"), on_conflict="new").session_ids
    assert [(None, None)] * 4 == origins(ledger, name)
