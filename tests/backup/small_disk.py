"""A disk of a few megabytes, where the tests may mount one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class SmallDisk:
    """Mounted while the test runs."""

    folder: Path

    def fill(self, leave: int) -> Path:
        """Take all room but so many bytes; the file that takes it."""
        taken = self.folder / "taken"
        taken.write_bytes(b"x" * (shutil.disk_usage(self.folder).free - leave))
        return taken

    def only_for_reading(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(folder)], capture_output=True, check=False
        )
    except OSError:
        pytest.skip("there is no `mount`")
    if mounted.returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
