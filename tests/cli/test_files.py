"""import and export."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from chatledger.exchange.importer import Importer
from tests.cli.conftest import Command
from tests.exchange.exports import chatgpt, node

BRANCHED = chatgpt(node("a", None), node("b", "a"), node("b2", "a"), current="b")
TURNS = [{"role": "user", "content": "Where to?"}, {"role": "assistant", "content": "Lisbon \x9b\u202e."}]


@pytest.fixture
def file(here: Path) -> Path:
    """Two conversations that can be read and one that cannot."""
    path = here / "chats.jsonl"
    lines = [
        json.dumps({"messages": TURNS}),
        json.dumps({"messages": [{"role": "ghost"}]}),
        json.dumps({"messages": TURNS}),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_import_names_what_fails_and_keeps_the_rest(run: Command, file: Path) -> None:
    result = run("import", str(file), "--user-id", "ada", "--project", "p", "--model", "m")
    assert (1, "imported 2 conversations with 4 messages (openai), 1 failed\n") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("chatledger: record 2, line 2: ")
    assert 1 == result.stderr.count("\n")
    sessions = run.json("list", "--user-id", "ada", "--project", "p", "--model", "m")["items"]
    assert [2, 2] == [session["message_count"] for session in sessions]


def test_a_dry_run_writes_nothing(run: Command, file: Path) -> None:
    result = run("import", str(file), "--dry-run", "--json")
    report = json.loads(result.stdout)
    assert (1, True, 2, 4, 1) == (
        result.exit_code, report["dry_run"], report["conversations"], report["messages"], report["failed"]
    )  # fmt: skip
    assert [] == run.json("list")["items"]


def test_forks_are_counted(run: Command, here: Path) -> None:
    (here / "chats.json").write_text(json.dumps([BRANCHED]))
    would = run.text("import", "chats.json", "--dry-run")
    assert "would import 1 conversation and 1 fork with 3 messages (chatgpt)" == would
    assert would.replace("would import", "imported") == run.text("import", "chats.json", "--format", "chatgpt")
    again = run.text("import", "chats.json", "--on-conflict", "skip")
    assert "imported 0 conversations with 0 messages (chatgpt), 1 skipped" == again
    assert 1 == json.loads(run.text("import", "chats.json", "--on-conflict", "new", "--json"))["forks"]
    assert "record 1, line 1: record: has no 'prompt'" in run("import", "chats.json", "--format", "oasst").stderr


def test_several_files_are_read_and_known_conversations_extended(run: Command, here: Path) -> None:
    chat = {"session_id": "s", "messages": TURNS}
    (here / "folder").mkdir()
    (here / "folder" / "a.jsonl").write_text(json.dumps(chat))
    (here / "folder" / "package.json").write_text("{}")
    (here / "b.jsonl").write_text(json.dumps({**chat, "messages": [*TURNS, {"role": "user", "content": "More\0"}]}))
    kept = run.text("import", "folder")
    assert "imported 1 conversation with 2 messages (openai)" == kept.splitlines()[0]
    assert "imported 0 conversations with 0 messages (openai), 1 skipped" == run.text(
        "import", "b.jsonl", "--no-update"
    )
    assert "1 failed" in run("import", "b.jsonl", "--strict").stdout
    result = run("import", "folder", "b.jsonl")
    assert "imported 0 conversations with 1 message (openai), 1 extended, 1 file unchanged\n" == result.stdout
    ignored, warning = sorted(result.stderr.splitlines())
    assert "chatledger: not read, because they are of no known format: folder/package.json" == ignored
    assert warning.startswith("chatledger: warning: b.jsonl: record 1, line 1: held characters")
    assert 3 == run.json("list")["items"][0]["message_count"]


def test_an_interrupted_import_says_what_is_in(
    run: Command, here: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = Importer.take, []

    def interrupted(self: Importer, *found: Any) -> None:
        taken.append(found)
        if len(taken) == 3:
            raise KeyboardInterrupt
        take(self, *found)

    monkeypatch.setattr(Importer, "take", interrupted)
    result = run("import", str(file))
    assert 130 == result.exit_code
    assert "interrupted: imported 1 conversation with 2 messages (openai), 1 failed." in result.stderr
    assert 1 == len(run.json("list")["items"])


def test_many_failures_are_counted(run: Command, here: Path) -> None:
    path = here / "bad.jsonl"
    path.write_text((json.dumps({"messages": TURNS}) + "\n") + '{"messages": [{"role": "ghost"}]}\n' * 25)
    errors = run("import", str(path)).stderr.splitlines()
    assert (21, "chatledger: and 5 more failures") == (len(errors), errors[-1])


def test_a_file_that_cannot_be_read_is_one_line(run: Command, here: Path) -> None:
    (here / "notes.txt").write_text("my notes")
    for name in ("missing.jsonl", ".", "notes.txt"):
        assert run.error("import", name).startswith("chatledger: ")
    assert 2 == run("import", "notes.txt", "--on-conflict", "guess").exit_code


def test_there_and_back(run: Command, here: Path) -> None:
    run.text("create", "--id", "s", "--title", "Trip", "--metadata", "a=1")
    run.text("add", "s", "assistant", "Lisbon", "--payload", '{"x": [1]}', "--cost", "0.5")
    before = run.text("history", "s", "--json")
    run.text("export", "s", "--output", "out.jsonl")
    assert "imported 0 conversations with 0 messages (jsonl), 1 unchanged" == run.text("import", "out.jsonl")
    assert "exists already" in run("import", "out.jsonl", "--on-conflict", "error").stderr
    assert "1 skipped" in run.text("import", "out.jsonl", "--on-conflict", "skip")
    run.text("delete", "s", "--yes")
    assert "imported 1 conversation with 1 message (jsonl)" == run.text("import", "out.jsonl")
    assert before == run.text("history", "s", "--json")


@pytest.mark.parametrize("name", ["out.json", "out.jsonl", "out.md", "out.html"])
def test_an_export_is_a_new_file_of_its_owner(run: Command, here: Path, name: str) -> None:
    run.text("create", "--id", "s", "--title", "Trip <b>")
    run.text("add", "s", "user", "Where to?")
    result = run("export", "--output", name)
    assert (0, "", f"1 session with 1 message in '{name}'\n") == (result.exit_code, result.stdout, result.stderr)
    exported = (here / name).read_text()
    assert 0o600 == stat.S_IMODE((here / name).stat().st_mode)
    assert "Where to?" in exported
    assert "<html" in exported.lower() if name.endswith("html") else "<html" not in exported.lower()
    (here / name).write_text("mine")
    assert "add --overwrite" in run.error("export", "--output", name)
    assert "mine" == (here / name).read_text()
    run.text("export", "--output", name, "--overwrite")
    assert exported.splitlines()[-1] == (here / name).read_text().splitlines()[-1]


def test_export_to_standard_output(run: Command) -> None:
    for session_id, user in (("a", "ada"), ("b", "bob")):
        run.text("create", "--id", session_id, "--user-id", user)
    assert '"b"' in run.text("export", "b")
    assert '"b"' not in run.text("export", "--user-id", "ada")
    assert "chatledger: no session 'b'" == run.error("export", "b", "--user-id", "ada")


def test_a_failed_export_leaves_no_file(run: Command, here: Path) -> None:
    assert "chatledger: no session 'nope'" == run.error("export", "nope", "--output", "out.jsonl")
    assert run.error("export", "--output", "nowhere/out.jsonl").endswith("No such file or directory")
    assert "is a folder, not a file" in run.error("export", "--output", ".", "--overwrite")
    assert [] == list(here.iterdir())


def test_real_conversations(here: Path, shared_data: Path, migrated_sqlite_url: str) -> None:
    run = Command(migrated_sqlite_url)
    for name in ("tau_bench/gpt-4o-airline.trial0.json", "llama_factory/glaive_toolcall_zh_demo.json"):
        assert "failed" not in run.text("import", str(shared_data / name))
    sessions = run.json("list", "--all")["items"]
    assert (349, 3224) == (len(sessions), sum(session["message_count"] for session in sessions))
    assert run.json("search", "cancel", "flight", "--sessions")["items"]
    run.text("export", "--output", "all.html")


def test_tables_by_the_name_of_the_file(run: Command, here: Path) -> None:
    run.text("create", "--id", "s", "--title", "=1+1")
    run.text("add", "s", "user", "Hello")
    assert "1 session with 1 message in 'm.csv'\n" == run("export", "--output", "m.csv").stderr
    assert 0o600 == stat.S_IMODE((here / "m.csv").stat().st_mode)
    assert "1 session in 's.parquet'\n" == run("export", "--table", "sessions", "--output", "s.parquet").stderr
    assert (here / "s.parquet").read_bytes().startswith(b"PAR1")
    assert run("export", "-f", "parquet").stdout_bytes.startswith(b"PAR1")
    assert ",'=1+1," in run.text("export", "--table", "sessions", "-f", "csv")
    assert ",=1+1," in run.text("export", "--table", "sessions", "-f", "csv", "--no-guard")
