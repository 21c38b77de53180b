"""Opening a ledger only if it is there, and looking at it while it opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatledger import CorruptDatabase, InvalidInput, Ledger, NotALedger
from tests.support.flavors import open_ledger
from tests.support.raw import Raw


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "typo.db"
    for migrate in ("empty", "always", "never"):
        with pytest.raises(NotALedger, match=r"typo\.db"):
            Ledger(path, migrate=migrate, create=False)
    assert [] == list(tmp_path.iterdir())
    Ledger(path).close()
    Ledger(path, create=False).close()


def test_an_empty_database_stays_empty(empty_url: str, flavor: str) -> None:
    Ledger(empty_url, migrate="never").close()
    for options in ({}, {"migrate": "always"}, {"migrate": "never"}):
        with (
            pytest.raises(NotALedger, match="empty"),
            open_ledger(flavor, empty_url, create=False, **options) as ledger,
        ):
            ledger.current()
    with Ledger(empty_url, migrate="never") as ledger:
        assert ledger.current() is None


def test_missing_tables_are_said_by_name(empty_url: str) -> None:
    calls: list[Callable[[Any], object]] = [
        lambda uow: uow.sessions.list(),
        lambda uow: uow.messages.history("s"),
    ]
    with Ledger(empty_url, migrate="never") as ledger:
        for call in calls:
            with pytest.raises(NotALedger, match="missing: run `chatledger db upgrade`"):
                ledger.run(call)


def test_a_ledger_with_defects_is_refused_while_it_opens(ledger: Ledger, raw: Raw, url: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "x")
    for check in ("quick", "full"):
        Ledger(url, check=check).close()
    raw("UPDATE chatledger_sessions SET message_count = 7")
    with pytest.raises(CorruptDatabase, match="counters"):
        Ledger(url, check="quick")
    with pytest.raises(InvalidInput, match="check"):
        Ledger(url, check="slow")  # type: ignore[arg-type] # that is the point
