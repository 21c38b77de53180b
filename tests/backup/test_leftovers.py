"""What a killed backup, restore or repair leaves behind is named, and removed by the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chatledger import Ledger
from chatledger.dialects import leftovers
from chatledger.dialects.backup_file import temporary
from tests.support.once import ONE_DATABASE

_KILLED = """
import os, signal, sys
from pathlib import Path
from chatledger.dialects.backup_file import temporary

with temporary(Path(sys.argv[1]), "chatledger-restore") as new:
    Path(f"{new}-journal").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@ONE_DATABASE
def test_what_a_killed_process_left_is_named_and_removed_by_the_next(ledger: Ledger, url: str, tmp_path: Path) -> None:
    folder = Path(url.removeprefix("sqlite:///")).parent
    before = set(names_in(folder))
    subprocess.run([sys.executable, "-c", _KILLED, str(folder)], check=False)
    new = set(names_in(folder)) - before
    assert {"new", "new-journal", "lock"} == {name.rpartition(".")[2] for name in new}
    (left,) = ledger.info()["left_behind"]
    assert Path(left).name.startswith(".chatledger-restore.")
    with temporary(folder, "chatledger-backup") as mine:
        # One that is being written is nobody's leftover.
        assert [] == leftovers.left_behind(folder)
        leftovers.remove(folder)
        assert mine.exists()
        assert "left_behind" not in ledger.info()
        assert not new & set(names_in(folder))
    assert {name for name in before if "chat" in name} <= set(names_in(folder))
    assert not [name for name in names_in(folder) if name.endswith((".lock", ".locking", ".new"))]


def test_files_of_others_stay(tmp_path: Path) -> None:
    names = [".x.abcdefgh.new", "x.new.lock", ".note.lock", ".x.abcdefgh.new.lock.txt"]
    for name in names:
        (tmp_path / name).write_text("mine")
    leftovers.remove(tmp_path)
    assert sorted(names) == sorted(names_in(tmp_path))
    assert [] == leftovers.left_behind(tmp_path / "missing")
