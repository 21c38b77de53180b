"""`run(…)` is one call of the command on a migrated database, once on each backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import chatledger
from chatledger.cli.application import app

_SOURCE = str(Path(chatledger.__file__).parents[1])


class Command:
    """The command on one database. `self(…)` gives the result, whatever it is; the methods expect success."""

    def __init__(self, db: str | None) -> None:
        self._db = db

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> Result:
        chosen = ["--db", self._db, *arguments] if self._db else list(arguments)
        return CliRunner().invoke(app, chosen, input=given)

    def text(self, *arguments: str, given: str | bytes | None = None) -> str:
        """Standard output of a call that went well, without its last line break."""
        result = self(*arguments, given=given)
        assert (0, None) == (result.exit_code, result.exception), result.output
        return result.stdout.removesuffix("\n")

    def json(self, *arguments: str, given: str | bytes | None = None) -> Any:
        """The one document that a call printed."""
        return json.loads(self.text(*arguments, "--json", given=given))

    def error(self, *arguments: str, code: int = 1) -> str:
        """The one line that a failed call printed, and nothing on standard output."""
        result = self(*arguments)
        assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n")), result.output
        return result.stderr.removesuffix("\n")

    def misuse(self, *arguments: str) -> str:
        """What a call was told that used the command wrongly, as one line of words."""
        result = self(*arguments)
        assert (2, "") == (result.exit_code, result.stdout), result.output
        return " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(autouse=True)
def _nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHATLEDGER_ACTOR", raising=False)
    monkeypatch.setenv("LOGNAME", "nina")


@pytest.fixture
def run(url: str) -> Command:
    return Command(url)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


Spawn = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def spawn(here: Path) -> Spawn:
    """Runs a process of its own: `spawn("list")` is `python -m chatledger list`."""

    def start(*arguments: str, program: tuple[str, ...] = ("-m", "chatledger"), **how: Any) -> Any:
        path = os.pathsep.join(filter(None, [_SOURCE, os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, **how.pop("env", {})}
        how = {"capture_output": True, "cwd": here, "timeout": 60, "check": False, **how}
        return subprocess.run([sys.executable, *program, *arguments], env=environment, **how)

    return start
