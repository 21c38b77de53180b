"""kill -9 in the middle of an adoption: the ledger is as it was, the source is whole, and it can be done again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import AI_ROUTER, fill_ai_router, made, state_of
from tests.faults.nursery import Child, Nursery
from tests.support.raw import Raw

_SESSIONS, _MESSAGES = 30, 40


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.soak)])
def test_nothing_or_all(nursery: Nursery, url: str, tmp_path: Path, kills: int) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    with made(folder / "old.db", AI_ROUTER, wal=True) as connection:
        connection.execute("BEGIN")
        for number in range(_SESSIONS):
            fill_ai_router(connection, f"session {number}", tuple(f"message {n}" for n in range(_MESSAGES)))
        connection.execute("COMMIT")
    before = state_of(folder)
    copying = 0
    for kill in range(kills):
        child = nursery.start("adopt_slowly", url, str(folder / "old.db"))
        # Some kills fall anywhere, the others into the copying.
        while not (seen := steps(child)) or (kill % 3 and "copying" not in seen):
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.8))
        seen = steps(child)
        assert "done" not in seen, "the child was not slow enough to be killed"
        copying += "copying" in seen
        child.kill()
        assert before == state_of(folder)
        assert _settled(url) == 0
    assert copying
    with Ledger(url) as ledger:
        report = adopt(ledger, folder / "old.db")
        assert (_SESSIONS, _SESSIONS * _MESSAGES) == (report.sessions, report.messages)
        assert ledger.check()
    assert before == state_of(folder)


def steps(child: Child) -> list[str]:
    return [str(step) for (step,) in child.acknowledged()]


def _settled(url: str) -> int:
    """Rows of a ledger after its writer was killed. On a server its backend may still be about to notice."""
    raw = Raw(url)
    return (
        raw.count("chatledger_sessions") + raw.count("chatledger_messages") + raw.count("chatledger_session_metadata")
    )
