"""Commands of the pages.

A plain `chatledger …` is called in this process. Everything that needs a shell goes through one, with `chatledger`
and `alembic` on its path.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import unittest.mock
from collections.abc import Mapping
from pathlib import Path

import pytest

from chatledger.cli import main
from tests.docs.pages import ROOT

# Outside of quotes; within double quotes a shell still reads the dollar and the backtick.
_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
_SHELL_CHARACTERS = frozenset("|<>;&$`*?~")

_SHIMS = {
    "chatledger": f'exec {shlex.quote(sys.executable)} -m chatledger "$@"',
    "alembic": f'exec {shlex.quote(sys.executable)} -m alembic -c {shlex.quote(str(ROOT / "alembic.ini"))} "$@"',
    "python": f'exec {shlex.quote(sys.executable)} "$@"',
}


def make_shims(folder: Path) -> None:
    """Put the commands into a folder for the shell's path."""
    folder.mkdir()
    for name, line in _SHIMS.items():
        shim = folder / name
        shim.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        shim.chmod(0o755)


def run(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in a folder; its exit code, and both of its outputs in the order they came."""
    if command.startswith("chatledger ") and not _SHELL_CHARACTERS & set(_QUOTED.sub("", command)):
        return _called(shlex.split(command)[1:], folder, environment)
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def _called(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """What `python -m chatledger` runs, without the second that starting a process takes."""
    printed = io.StringIO()
    with (
        unittest.mock.patch.dict(os.environ, environment, clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.raises(SystemExit) as end,
    ):
        main(arguments)
    code = end.value.code
    return code if isinstance(code, int) else 0, printed.getvalue()
