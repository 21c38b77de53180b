"""Alembic's own command, as a contributor runs it in a checkout."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.alembic_command import CHECKOUT, called


def alembic(
    *arguments: str, url: str | None = None, environment: str | None = None, process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the command with the database given as `-x url=`, or in CHATLEDGER_URL.

    With `process`, it is a process of its own; else it is called in this one.
    """
    variables = {name: value for name, value in os.environ.items() if name != "CHATLEDGER_URL"}
    if environment is not None:
        variables["CHATLEDGER_URL"] = environment
    where = [] if url is None else ["-x", f"url={url}"]
    if not process:
        return called([*where, *arguments], CHECKOUT, variables)
    return subprocess.run(
        [sys.executable, "-m", "alembic", *where, *arguments],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def succeed(*arguments: str, url: str | None = None, environment: str | None = None, process: bool = False) -> str:
    """What the command printed on standard output."""
    done = alembic(*arguments, url=url, environment=environment, process=process)
    assert 0 == done.returncode, done.stderr
    return done.stdout
