"""The first statement of a process is limited to a user like every other one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_FIRST = """
import sys
from sqlalchemy import select
from chatledger import Ledger, models
with Ledger(sys.argv[1]) as ledger:
    with ledger.begin() as uow:
        for user in ("ada", "lin"):
            uow.sessions.create(user, user_id=user)
    mine = ledger.for_user("ada")
    if sys.argv[2] == "orm":
        with mine.orm() as session:
            print(list(session.scalars(select(models.Session.session_id))))
    else:
        with mine.read() as uow:
            print(list(uow.session.scalars(select(models.Session.session_id))))
"""


@pytest.mark.parametrize("way", ["orm", "uow"])
def test_the_first_statement_over_columns_is_limited(tmp_path: Path, way: str) -> None:
    command = [sys.executable, "-c", _FIRST, str(tmp_path / "chat.db"), way]
    assert "['ada']\n" == subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
