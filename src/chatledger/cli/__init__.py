"""The `chatledger` command: one small file per noun, over the same public names that programs use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process: 0 done, 1 an error, 2 misuse, 130 interrupted.

    What goes wrong is one line on standard error, never a traceback.
    """
    from chatledger.cli.application import app  # noqa: PLC0415 - `import chatledger.cli` costs nothing
    from chatledger.cli.errors import process  # noqa: PLC0415

    with process():
        raise SystemExit(
            app(args=None if arguments is None else list(arguments), prog_name="chatledger", standalone_mode=False)
        )
