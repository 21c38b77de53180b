"""Claude Code's transcripts: one message for each response, however many lines and tools it has."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Outcome
from chatledger.exchange import Format, ImportReport, import_file, import_files
from chatledger.exchange.readers.agents.transcript import UNFINISHED
from tests.exchange.files import messages_of, write

USAGE = {
    "input_tokens": 2, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 15_000, "output_tokens": 1,
    "service_tier": "standard",
}  # fmt: skip


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def user(uuid: str, parent: str | None, content: Any = None, **fields: Any) -> dict[str, Any]:
    return line(uuid, parent, "user", {"role": "user", "content": uuid if content is None else content}, **fields)


def line(uuid: str, parent: str | None, kind: str, message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "isSidechain": False, "cwd": "/home/ada/x",
        "gitBranch": "main", "version": "2.1.0", "timestamp": "2026-05-01T09:00:00.000Z", "message": message, **fields,
    }  # fmt: skip


def says(uuid: str, parent: str | None, *blocks: Any, id: str | None = None, **message: Any) -> dict[str, Any]:
    """A line of a response, which says its own name unless told otherwise."""
    content = list(blocks) or [{"type": "text", "text": uuid}]
    return line(
        uuid, parent, "assistant",
        {"id": id or uuid, "role": "assistant", "model": "claude-x", "content": content, "stop_reason": None, **message},
    )  # fmt: skip


def calls(tool: str, name: str = "Bash") -> dict[str, Any]:
    return {"type": "tool_use", "id": tool, "name": name, "input": {"command": tool}}


def result(uuid: str, parent: str, tool: str, **block: Any) -> dict[str, Any]:
    return user(uuid, parent, [{"type": "tool_result", "tool_use_id": tool, "content": f"of {tool}", **block}])


def read(ledger: Ledger, tmp_path: Path, *lines: Any, name: str = "s.jsonl", seconds_ago: float = 3600) -> ImportReport:
    path = write(tmp_path / name, *lines)
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return import_file(ledger, path)


def told(ledger: Ledger, session_id: str = "s") -> list[tuple[str, str]]:
    return [(message.role.value, message.content) for message in messages_of(ledger, session_id)]


def test_a_session_has_its_folder_branch_version_and_first_question(ledger: Ledger, tmp_path: Path) -> None:
    report = read(ledger, tmp_path, user("Why?\nTell me", None), says("a", "Why?\nTell me"))
    assert (Format.CLAUDE_CODE, 1, 2, ("s",)) == (
        report.format, report.conversations, report.messages, report.session_ids,
    )  # fmt: skip
    with ledger.read() as uow:
        session = uow.sessions.get("s")
    assert ("Why?", "/home/ada/x", "claude-x") == (session.title, session.project_id, session.model_id)
    assert {
        "agent": "claude_code", "cwd": "/home/ada/x", "git_branch": "main", "agent_version": "2.1.0",
    } == session.metadata  # fmt: skip
    assert "2026-05-01T09:00:00+00:00" == session.created_at.isoformat()


def test_the_lines_of_a_response_are_one_message_whose_usage_counts_once(ledger: Ledger, tmp_path: Path) -> None:
    read(
        ledger, tmp_path, user("u", None),
        says("a1", "u", {"type": "thinking", "thinking": "Hm", "signature": "x"}, id="m", usage=USAGE),
        says("a2", "a1", {"type": "text", "text": "Let me look."}, id="m", usage=USAGE),
        says("a3", "a2", calls("t"), id="m", usage={**USAGE, "output_tokens": 80}, stop_reason="tool_use"),
        result("r", "a3", "t", is_error=True), says("b", "r"),
    )  # fmt: skip
    _, answer, tool, _ = messages_of(ledger, "s")
    assert ("Let me look.", "Hm", "Bash") == (answer.content, answer.reasoning[0].text, answer.tool_calls[0].name)
    assert (15_102, 80, 15_000, 100) == (
        answer.input_tokens, answer.output_tokens, answer.cached_tokens, answer.cache_write_tokens,
    )  # fmt: skip
    assert ("a1", "tool_use") == (answer.key, (answer.metadata or {})["stop_reason"])
    assert tool.tool_result is not None
    assert ("Bash", "of t", True) == (tool.tool_result.name, tool.tool_result.content, tool.tool_result.is_error)
    with ledger.read() as uow:
        assert 15_182 == uow.sessions.get("s").total_tokens


@pytest.mark.parametrize("interleaved", [False, True])
def test_results_of_parallel_calls_follow_one_another(ledger: Ledger, tmp_path: Path, interleaved: bool) -> None:
    """Each of them follows the line of its call, which is no rewind."""
    first, second = says("a1", "u", calls("t1"), id="m"), says("a2", "a1", calls("t2"), id="m")
    results = [result("r1", "a1", "t1"), result("r2", "a2", "t2")]
    middle = [first, results[0], second, results[1]] if interleaved else [first, second, *results]
    report = read(ledger, tmp_path, user("u", None), *middle, says("b", "r2"))
    assert 0 == report.forks
    assert [("user", "u"), ("assistant", ""), ("tool", "of t1"), ("tool", "of t2"), ("assistant", "b")] == told(ledger)
    assert ["t1", "t2"] == [call.id for call in messages_of(ledger, "s")[1].tool_calls]


def test_what_comes_next_may_name_the_first_of_the_results(ledger: Ledger, tmp_path: Path) -> None:
    lines = [
        says("a", "u", calls("t1"), calls("t2")),
        result("r1", "a", "t1"),
        result("r2", "a", "t2"),
        says("b", "r1"),
    ]
    assert 0 == read(ledger, tmp_path, user("u", None), *lines).forks
    assert ["u", "", "of t1", "of t2", "b"] == [content for _, content in told(ledger)]


def test_a_call_that_was_made_again_is_a_branch(ledger: Ledger, tmp_path: Path) -> None:
    lines = [
        says("a", "u", calls("t")),
        result("r1", "a", "t"),
        says("b", "r1"),
        result("r2", "a", "t"),
        says("c", "r2"),
    ]
    report = read(ledger, tmp_path, user("u", None), *lines)
    assert ("s", "s:b") == report.session_ids
    assert ["u", "", "of t", "c"] == [content for _, content in told(ledger)]


def test_a_rewind_is_a_fork_and_the_last_line_ends_the_session(ledger: Ledger, tmp_path: Path) -> None:
    at = {"timestamp": "2026-05-01T10:00:00Z"}
    lines = [
        user("u", None),
        says("a", "u"),
        user("v", "a", **at),
        {**says("b", "v"), **at},
        user("w", "a"),
        says("c", "w"),
    ]
    report = read(ledger, tmp_path, *lines)
    assert ("s", "s:b") == report.session_ids
    assert ["u", "a", "w", "c"] == [content for _, content in told(ledger)]
    assert ["u", "a", "v", "b"] == [content for _, content in told(ledger, "s:b")]
    with ledger.read() as uow:
        fork = uow.sessions.get("s:b")
    assert (at["timestamp"][:-1] + "+00:00",) * 2 == (fork.created_at.isoformat(), fork.last_activity.isoformat())


def test_a_compaction_goes_on_and_its_summary_is_hidden(ledger: Ledger, tmp_path: Path) -> None:
    boundary = {
        **line("c", None, "system", {}), "subtype": "compact_boundary", "logicalParentUuid": "a",
        "content": "Conversation compacted", "compactMetadata": {"trigger": "auto"},
    }  # fmt: skip
    del boundary["message"]
    report = read(
        ledger, tmp_path, user("u", None), says("a", "u"), boundary,
        user("Summary", "c", isCompactSummary=True), user("v", "Summary"), says("b", "v"),
    )  # fmt: skip
    assert 0 == report.forks
    found = messages_of(ledger, "s")
    assert ["u", "a", "Conversation compacted", "Summary", "v", "b"] == [message.content for message in found]
    assert [False, False, True, True, False, False] == [message.hidden for message in found]
    assert {"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto"}} == found[2].metadata


def test_sub_agents_are_sessions_that_name_their_parent(ledger: Ledger, tmp_path: Path) -> None:
    """In the same file by the first of their lines, in one of their own by their id."""
    inside = [user("x", None, isSidechain=True), {**says("y", "x"), "isSidechain": True}]
    own = [
        user("p", None, isSidechain=True, agentId="b7"), {**says("q", "p"), "isSidechain": True, "agentId": "b7"},
    ]  # fmt: skip
    read(ledger, tmp_path, user("u", None), *inside, says("a", "u"))
    report = read(ledger, tmp_path, *own, name="agent-b7.jsonl")
    assert ("s:b7",) == report.session_ids
    assert (["u", "a"], ["x", "y"], ["p", "q"]) == tuple(
        [content for _, content in told(ledger, name)] for name in ("s", "s:x", "s:b7")
    )
    with ledger.read() as uow:
        child = uow.sessions.get("s:b7")
        assert ["s:b7", "s:x"] == sorted(session.session_id for session in uow.sessions.list(parent="s"))
    assert ("s", "s", "b7") == (child.parent_id, child.metadata["parent_session_id"], child.metadata["agent_id"])


def test_sub_agents_of_a_folder_come_after_their_parents(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "s" / "subagents").mkdir(parents=True)
    own = [user("p", None, isSidechain=True, agentId="b7"), {**says("q", "p"), "isSidechain": True, "agentId": "b7"}]
    write(tmp_path / "s" / "subagents" / "agent-b7.jsonl", *own)
    write(tmp_path / "s.jsonl", user("u", None), says("a", "u", stop_reason="end_turn"))
    assert ("s", "s:b7") == import_files(ledger, [tmp_path]).session_ids
    with ledger.read() as uow:
        assert "s" == uow.sessions.get("s:b7").parent_id


def test_a_sub_agent_without_its_parent_is_a_session_as_well(ledger: Ledger, tmp_path: Path) -> None:
    own = [user("p", None, isSidechain=True, agentId="b7"), {**says("q", "p"), "isSidechain": True, "agentId": "b7"}]
    read(ledger, tmp_path, *own)
    with ledger.read() as uow:
        assert uow.sessions.get("s:b7").parent_id is None


def test_titles_are_given_or_made(ledger: Ledger, tmp_path: Path) -> None:
    summary = {"type": "summary", "summary": "About u", "leafUuid": "a"}
    read(ledger, tmp_path, summary, user("u", None), says("a", "u"))
    named = [{**record, "sessionId": "t"} for record in (user("u2", None), says("a2", "u2"))]
    title = {"type": "custom-title", "customTitle": "Mine", "sessionId": "t"}
    read(ledger, tmp_path, {**summary, "leafUuid": "a2"}, *named, title, name="t.jsonl")
    with ledger.read() as uow:
        assert ["About u", "Mine"] == [uow.sessions.get(name).title for name in ("s", "t")]


def test_what_the_program_says_in_the_name_of_a_person_is_hidden(ledger: Ledger, tmp_path: Path) -> None:
    read(
        ledger, tmp_path, user("Caveat", None, isMeta=True), user("<local-command-stdout>x</local-command-stdout>", "Caveat"),
        user("u", "<local-command-stdout>x</local-command-stdout>"),
        {**says("API Error", "u", model="<synthetic>"), "isApiErrorMessage": True},
    )  # fmt: skip
    found = messages_of(ledger, "s")
    assert [True, True, False, False] == [message.hidden for message in found]
    assert (Outcome.ERROR, None) == (found[3].outcome, found[3].model_id)
    with ledger.read() as uow:
        assert "u" == uow.sessions.get("s").title


def test_lines_that_follow_no_line_of_the_file_follow_the_one_before(ledger: Ledger, tmp_path: Path) -> None:
    """As in transcripts without parents, and where a line was lost."""
    assert 0 == read(ledger, tmp_path, user("u", None), says("a", None), user("v", "lost"), says("b", "v")).forks
    assert ["u", "a", "v", "b"] == [content for _, content in told(ledger)]


def test_lines_that_cannot_be_read_are_named_and_one_that_is_cut_off_is_not(ledger: Ledger, tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("u", None), 42, [1], user("v", "u", content=None), says("a", "u"))
    path.write_text(path.read_text() + '{"type": "user", "uu')
    os.utime(path, (1, 1))
    report = import_file(ledger, path)
    assert (3, 1) == (report.messages, report.warned)
    assert "lines 2, 3 are no part of a transcript, and left out" == report.warnings[0].reason
    strict = import_file(ledger, path, strict=True)
    assert 1 == strict.failed


def test_a_response_that_goes_on_is_left_for_the_next_import(ledger: Ledger, tmp_path: Path) -> None:
    lines = [user("u", None), says("a1", "u", calls("t1"), id="m"), result("r1", "a1", "t1")]
    report = read(ledger, tmp_path, *lines, seconds_ago=0)
    assert (1, UNFINISHED) == (report.messages, report.warnings[0].reason)
    lines += [says("a2", "a1", calls("t2"), id="m", stop_reason="tool_use"), result("r2", "a2", "t2"), says("b", "r2")]
    report = read(ledger, tmp_path, *lines)
    assert (1, 4, 0) == (report.extended, report.messages, report.warned)
    assert ["u", "", "of t1", "of t2", "b"] == [content for _, content in told(ledger)]
    assert (1, 0) == ((again := read(ledger, tmp_path, *lines)).unchanged, again.messages)


def test_lines_in_a_circle_are_a_failure(ledger: Ledger, tmp_path: Path) -> None:
    report = read(ledger, tmp_path, user("u", "v"), user("v", "u"))
    assert (0, 1) == (report.conversations, report.failed)


def test_real_transcripts(ledger: Ledger, shared_data: Path) -> None:
    report = import_files(ledger, [shared_data / "coding_agents" / "claude_code"])
    assert (4, 1, 0, 1) == (report.conversations, report.forks, report.failed, report.warned)
    with ledger.read() as uow:
        assert [10, 4] == [uow.sessions.get(name).message_count for name in ("s1", "s1:b1a")]
    assert 3 == import_files(ledger, [shared_data / "coding_agents" / "claude_code"]).files_unchanged
    assert 4 == import_files(ledger, [shared_data / "coding_agents" / "claude_code"], reread=True).unchanged
