"""Commands of the pages: each in a process of its own.

A plain `chatledger …` starts from a server that has imported the package already, which saves half a second each; it
then runs what `python -m chatledger` runs. Everything that needs a shell goes through one, with `chatledger` and
`alembic` on its path.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import ROOT

# Outside of quotes; within double quotes a shell still reads the dollar and the backtick.
_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
_SHELL_CHARACTERS = frozenset("|<>;&$`*?~")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", "tests.support.everything"])

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
        return _forked(shlex.split(command)[1:], folder, environment)
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


def _forked(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    output = folder.parent / "output"
    process = _forks.Process(target=_main, args=(arguments, str(folder), dict(environment), str(output)))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode, output.read_text("utf-8")


def _main(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(written, stream)
    # Written line by line, as on a terminal: they stand in the order in which they came.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    from chatledger.cli import main  # noqa: PLC0415 - in the child

    code: object = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    # At once: coverage would complain on the page's output that the modules were imported before it began.
    os._exit(code if isinstance(code, int) else 0)
