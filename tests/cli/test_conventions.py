"""Rules that hold for every command: one word for one thing, one sentence for one mistake."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import chatledger.cli
from chatledger.cli.application import app
from tests.cli.conftest import Command

_ROOT = Path(chatledger.cli.__file__).parent

# Words that would be a second one for the same thing.
_SECOND_WORDS = {
    "--user": "--user-id", "--of-user": "--user-id", "--session": "--session-id", "--tz": "--timezone",
    "--force": "--overwrite", "--parallel": "--concurrency", "--workers": "--concurrency",
    "--out": "--output", "--after-time": "--since", "--from-time": "--since", "--confirm": "--yes", "--sure": "--yes",
    "--rehearse": "--dry-run", "--as-json": "--json",
}  # fmt: skip
# Options that mean the same and look the same wherever they are.
_SHAPES = {
    "--user-id": "USER", "--session-id": ("ID", "SESSION_ID"), "--timezone": "ZONE", "--concurrency": "N",
    "--since": "TIME", "--until": "TIME", "--actor": "NAME", "--project": "PROJECT", "--model": "MODEL",
    "--cursor": "CURSOR", "--limit": "N", "--reason": "TEXT", "--metadata": "KEY=VALUE", "--db": "URL",
}  # fmt: skip


def _commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _options() -> Iterator[tuple[str, Any]]:
    for path, command in COMMANDS.items():
        for parameter in command.params:
            for name in (*parameter.opts, *parameter.secondary_opts):
                if name.startswith("--"):
                    yield f"{' '.join(path)} {name}", parameter


def test_one_thing_has_one_option() -> None:
    assert [] == [place for place, _ in _options() if place.rpartition(" ")[2] in _SECOND_WORDS]


def test_an_option_takes_the_same_everywhere() -> None:
    wrong = []
    for place, parameter in _options():
        shape = _SHAPES.get(place.rpartition(" ")[2])
        if shape is not None and parameter.metavar not in (shape if isinstance(shape, tuple) else (shape,)):
            wrong.append(f"{place} {parameter.metavar}")
    assert [] == wrong


def test_every_command_says_what_it_does() -> None:
    assert [] == [" ".join(path) for path, command in COMMANDS.items() if not (command.help or "").strip()]


def test_limits_have_a_letter() -> None:
    assert [] == [
        place for place, parameter in _options() if "--limit" in parameter.opts and "-n" not in parameter.opts
    ]


@pytest.mark.parametrize("old", ["--user", "--of-user"])
def test_a_word_of_before_is_understood(migrated_sqlite_url: str, old: str) -> None:
    run = Command(migrated_sqlite_url)
    run.text("create", "--id", "s", old, "ada")
    assert ["s"] == [session["session_id"] for session in run.json("list", old, "ada")["items"]]


def test_headings_of_tables_begin_with_a_capital_and_go_on_without() -> None:
    headings = {
        node.args[0].value
        for path in _ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Column"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    assert len(headings) > 40
    assert [] == [text for text in headings if text and text != "ID" and text != text[:1].upper() + text[1:].lower()]


def _with_files() -> Iterator[list[str]]:
    """A call of each command that reads a file, up to the file."""
    before: dict[tuple[str, ...], list[str]] = {
        ("batch", "add"): ["job"],
        ("compare", "run"): ["group"],
        ("compare", "import"): ["group"],
    }
    for path, command in COMMANDS.items():
        if any(getattr(parameter, "metavar", None) in _FILES for parameter in command.params) and path not in _WRITES:
            yield [*path, *before.get(path, [])]


_FILES = ("FILE", "SOURCE", "PROMPTS", "PATH")
# Commands whose only files are written, or that make the file.
_WRITES = {("export",), ("report",), ("demo",), ("db", "backup"), ("db", "repair")} | {
    path for path, command in COMMANDS.items() if any("--output" in p.opts and p.metavar == "FILE" for p in command.params)
} | {("compare", "summary")}  # fmt: skip


def test_a_missing_file_has_one_sentence(here: Path) -> None:
    run = Command("new.db")
    calls = list(_with_files())
    assert len(calls) >= 7
    for call in calls:
        assert "chatledger: no file 'nowhere'" == run.error(*call, "nowhere"), call
        assert "chatledger: '.' is a folder, not a file" == run.error(*call, "."), call
    assert [] == list(here.iterdir())


def test_a_file_that_exists_has_one_sentence(here: Path, migrated_sqlite_url: str) -> None:
    run = Command(migrated_sqlite_url)
    (here / "there").write_text("mine")
    (here / "given").write_text("[]")
    run.text("batch", "create", "--id", "job", given="One?\n")
    run.text("compare", "new", "a", "b", "--id", "group")
    for call in (
        ["export", "--output", "there"], ["report", "there"], ["batch", "results", "job", "--output", "there"],
        ["compare", "export", "group", "--output", "there"], ["compare", "summary", "group", "--html", "there"],
        ["db", "backup", "there"], ["adopt", "given", "--report", "there"],
    ):  # fmt: skip
        assert "chatledger: 'there' exists: add --overwrite to replace it" == run.error(*call), call
    assert "mine" == (here / "there").read_text()


def test_a_file_that_cannot_be_written_is_named_as_it_was_typed(migrated_sqlite_url: str) -> None:
    error = Command(migrated_sqlite_url).error("export", "--output", "/nowhere/chats.jsonl")
    assert "chatledger: '/nowhere/chats.jsonl': No such file or directory" == error


def test_what_needs_a_yes_has_one_sentence(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada")
    run.text("add", "s", "user", "Hello")
    run.text("snapshot", "take", "s")
    run.text("add", "s", "user", "More")
    run.text("batch", "create", "--id", "job", given="One?\n")
    run.text("compare", "new", "a", "b", "--id", "group")
    run.text("metric", "record", "latency", "1")
    arguments = {
        "delete": ["s"], "purge": ["--older-than", "0s", "--status", "active"], "erase-user": ["ada"], "db repair": [],
        "metric purge": ["--older-than", "0s"], "snapshot restore": ["s:1"], "snapshot delete": ["s:1"],
        "compare delete": ["group"], "batch delete": ["job"],
        "message redact": ["s", "1"], "message delete": ["s", "1", "2"], "message truncate": ["s", "--after", "1"],
        "message pop": ["s"], "message clear": ["s"],
    }  # fmt: skip
    needing = {" ".join(path) for path, command in COMMANDS.items() if any("--yes" in p.opts for p in command.params)}
    assert needing == arguments.keys()
    for command, given in arguments.items():
        error = run.error(*command.split(), *given)
        assert re.fullmatch(r"chatledger: .*: add --yes to do it", error), error


def test_times_in_json_have_one_form(run: Command) -> None:
    run.text("create", "--id", "s")
    run.text("batch", "create", "--id", "job", given="One?\n")
    run.text("compare", "new", "a", "b", "--id", "group")
    for call in (["list"], ["audit"], ["batch", "status", "job"], ["batch", "status"], ["compare", "list"]):
        times = re.findall(r'"\d{4}-\d\d-\d\dT[^"]*"', run.text(*call, "--json"))
        assert [] == [time for time in times if not time.endswith('+00:00"')], call
