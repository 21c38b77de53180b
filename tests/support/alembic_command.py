"""Alembic's own command, called in this process: a second of imports less than a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
import unittest.mock
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from alembic.config import CommandLine, Config
from sqlalchemy import Connection, Engine, event

CHECKOUT = Path(__file__).parents[2]


def called(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> CompletedProcess[str]:
    """What `python -m alembic` does in a folder, with the configuration of the checkout."""
    command = CommandLine(prog="alembic")
    output, errors = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with (
        _ending_connections(),
        unittest.mock.patch.dict(os.environ, environment, clear=True),
        # The configuration puts a folder in front.
        unittest.mock.patch.object(sys, "path", [*sys.path]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            options = command.parser.parse_args(list(arguments))
            # Alembic remembers the standard output that there was when it was imported.
            config = Config(
                CHECKOUT / "alembic.ini",
                ini_section=options.name,
                cmd_opts=options,
                stdout=output,
                output_buffer=output,
            )
            command.run_cmd(config, options)
        except SystemExit as end:
            code = end.code
        except Exception:  # noqa: BLE001 - a process ends with it
            traceback.print_exc()
            code = 1
    number = code if isinstance(code, int) else 1
    return CompletedProcess(["alembic", *arguments], number, output.getvalue(), errors.getvalue())


@contextlib.contextmanager
def _ending_connections() -> Iterator[None]:
    """Close the connections that were opened in the block, as the end of a process does."""
    engines: set[Engine] = set()

    def note(connection: Connection) -> None:
        engines.add(connection.engine)

    event.listen(Engine, "engine_connect", note)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", note)
        for engine in engines:
            engine.dispose()
