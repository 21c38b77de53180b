"""An answer is in the ledger while it is being given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chatledger import Ledger

_DIES = """
import os, signal

def answer(messages):
    yield "the beginning "
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_command_leaves_what_came_and_can_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(_DIES)
    (tmp_path / "ends.py").write_text("def answer(messages):\n    yield 'all '\n    yield 'of it'\n")
    command = [sys.executable, "-m", "chatledger", "query", "--db", "chat.db"]
    first = [*command, "--new", "--session-id", "s", "Where to?", "--responder", "dies:answer"]
    assert -9 == subprocess.run(first, cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode
    again = [*command, "--session-id", "s", "--responder", "ends:answer"]
    subprocess.run(again, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    with Ledger(tmp_path / "chat.db") as ledger, ledger.read() as uow:
        found = [(one.content, one.outcome) for one in uow.messages.history("s")]
    assert [("Where to?", None), ("the beginning ", "streaming"), ("all of it", "complete")] == found
