"""SQLite files for the tests."""

from __future__ import annotations

import shutil
from pathlib import Path


def url_of(path: Path) -> str:
    """The URL of a file, which need not exist yet."""
    return f"sqlite:///{path}"


def copy(template: Path, target: Path) -> str:
    """Copy a closed database, permissions included, and return the copy's URL.

    A log beside the template would hold rows that the copy lacks, so it is refused.
    """
    log = template.with_name(f"{template.name}-wal")
    assert not log.exists(), f"{template.name} is still open somewhere: {log.name} exists"
    shutil.copy(template, target)
    return url_of(target)
