"""Commands of the pages.

A plain `chatledger …` or `alembic …` is called in this process, and so is one that begins or ends a pipe. The rest goes
through a shell, with the commands on its path.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import unittest.mock
from collections.abc import Mapping
from pathlib import Path

from chatledger.cli import main
from tests.docs.pages import ROOT
from tests.support import alembic_command

# Outside of quotes; within double quotes a shell still reads the dollar and the backtick.
_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
_SHELL_CHARACTERS = frozenset("|<>;&$`*?~")
_OPERATOR = re.compile(r" (\|\||\||>) ")
_LIMIT = re.compile(r"^timeout --preserve-status \d+")
_TERMINATED = 143

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
    before, pipe, last = command.rpartition(" | ")
    if pipe and _is_plain(last) and not _begins_plainly(before):
        _, given = _in_shell(before, folder, environment)
        return _called(shlex.split(last), folder, environment, given)
    first, operator, rest = _split(command)
    if not _is_plain(first):
        code, printed = _in_shell(command, folder, environment)
        if code == _TERMINATED and command.startswith("timeout "):
            # On a busy machine the time was over before the command had begun.
            code, printed = _in_shell(_LIMIT.sub("timeout --preserve-status 40", command), folder, environment)
        return code, printed
    if not operator:
        return _called(shlex.split(first), folder, environment)
    if operator == "||":
        code, printed = _called(shlex.split(first), folder, environment)
        if code == 0:
            return code, printed
        # The shell asks for the code of what it ran before.
        code, more = _in_shell(f"(exit {code}) || {rest}", folder, environment)
        return code, printed + more
    output, errors = io.StringIO(), io.StringIO()
    _called(shlex.split(first), folder, environment, output=output, errors=errors)
    code, printed = _in_shell(rest if operator == "|" else f"cat > {rest}", folder, environment, output.getvalue())
    return code, errors.getvalue() + printed


def _is_plain(command: str) -> bool:
    return _begins_plainly(command) and not _SHELL_CHARACTERS & set(_QUOTED.sub("", command))


def _begins_plainly(command: str) -> bool:
    return command.startswith(("chatledger ", "alembic "))


def _split(command: str) -> tuple[str, str, str]:
    """A command, the first of the shell's operators that stands in it, and what comes after."""
    found = _OPERATOR.search(_QUOTED.sub(lambda quoted: "q" * len(quoted[0]), command))
    if found is None:
        return command, "", ""
    return command[: found.start()], found[1], command[found.end() :]


def _in_shell(command: str, folder: Path, environment: Mapping[str, str], given: str | None = None) -> tuple[int, str]:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=dict(environment),
        input=given or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def _called(
    words: list[str],
    folder: Path,
    environment: Mapping[str, str],
    given: str | None = None,
    output: io.StringIO | None = None,
    errors: io.StringIO | None = None,
) -> tuple[int, str]:
    """What `python -m chatledger` or `python -m alembic` runs, without the second that starting a process takes.

    Both outputs are given back in one, unless there is a place for each.
    """
    printed = io.StringIO()
    output, errors = output or printed, errors or printed
    if words[0] == "alembic":
        done = alembic_command.called(words[1:], folder, environment)
        output.write(done.stdout)
        errors.write(done.stderr)
        return done.returncode, printed.getvalue()
    # A process would import what lies in its folder, and not a module of the same name that another test imported.
    for script in folder.glob("*.py"):
        sys.modules.pop(script.stem, None)
    importlib.invalidate_caches()
    with (
        unittest.mock.patch.object(sys, "path", [str(folder), *sys.path]),
        unittest.mock.patch.dict(os.environ, environment, clear=True),
        unittest.mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO((given or "").encode()), "utf-8")),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        code = _code_of(words[1:])
    return code, printed.getvalue()


def _code_of(words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    raise AssertionError("the command has not ended the process")
