"""`python -m tests.docs.follow README.md docs/quickstart.md`: follow pages with the chatledger that is installed.

Needs nothing but chatledger, so that the pages can be followed where only the wheel is installed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import chatledger
from tests.docs.pages import ROOT, blocks
from tests.docs.running import Reader


def main(names: list[str]) -> int:
    """Follow each page in an empty folder; the exit code is the number of pages that show something else."""
    failed = 0
    sys.stdout.write(f"chatledger {chatledger.__version__} in {Path(chatledger.__file__).parent}\n")
    for name in names:
        with tempfile.TemporaryDirectory() as above:
            here = Path(above) / "here"
            here.mkdir()
            try:
                with contextlib.chdir(here):
                    Reader(here).follow(blocks(ROOT / name))
            except Exception as error:  # noqa: BLE001 - the error of a page is printed, and the next page is followed
                failed += 1
                sys.stdout.write(f"{name}: {type(error).__name__}: {error}\n")
            else:
                sys.stdout.write(f"{name}: ok\n")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
