"""Files that commands write: readable by their owner only, and complete when they appear."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from chatledger.cli.errors import fail
from chatledger.cli.output.escaping import Neutral


@contextmanager
def writing(path: Path | None, *, force: bool = False) -> Iterator[TextIO]:
    """Standard output, or a new file that appears under its name when the block has ended well."""
    if path is None:
        # What passes is the same, but a terminal would act upon control characters.
        yield cast(TextIO, Neutral(sys.stdout)) if sys.stdout.isatty() else sys.stdout
        return
    with _appearing(path, force=force) as handle, open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - an open handle
        yield file


@contextmanager
def writing_bytes(path: Path | None, *, force: bool = False) -> Iterator[BinaryIO]:
    """The same, of bytes. A terminal is refused."""
    if path is None:
        if sys.stdout.isatty():
            fail("this is not for a terminal: add --output FILE")
        yield sys.stdout.buffer
        return
    with _appearing(path, force=force) as handle, open(handle, "wb") as file:  # noqa: PTH123
        yield file


@contextmanager
def _appearing(path: Path, *, force: bool) -> Iterator[int]:
    """The handle of a file without a name, which gets its name at the end of the block. The caller closes it."""
    if path.exists() and not path.is_file():
        fail(f"{str(path)!r} is not a file")
    if path.exists() and not force:
        fail(f"{str(path)!r} exists: add --overwrite to put the new one in its place")
    # mkstemp: mode 0600.
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    try:
        yield handle
        if force:
            Path(name).replace(path)
        else:
            os.link(name, path)  # refuses when somebody made the file meanwhile
    except FileExistsError:
        fail(f"{str(path)!r} exists: add --overwrite to put the new one in its place")
    finally:
        Path(name).unlink(missing_ok=True)
