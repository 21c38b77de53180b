"""Files that commands write: readable by their owner only, and complete when they appear."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from chatledger.cli.arguments.files import refuse_existing
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
    refuse_existing(path, overwrite=force)
    # mkstemp: mode 0600.
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    except OSError as error:
        # Not by the name of the temporary file, which nobody has typed.
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        yield handle
        if force:
            Path(name).replace(path)
        else:
            os.link(name, path)  # refuses when somebody made the file meanwhile
    except FileExistsError:
        refuse_existing(path, overwrite=False)
        raise
    except OSError as error:
        if error.filename == name:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        Path(name).unlink(missing_ok=True)
