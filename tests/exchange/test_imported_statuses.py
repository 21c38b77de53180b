"""A closed session is closed again when it is read into another ledger, and nothing is made of it that was not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.exchange import ExportFormat, import_file
from tests.exchange.files import exported
from tests.support import sqlite


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "other.db")) as other:
        yield other


@pytest.mark.parametrize("form", [ExportFormat.JSONL, ExportFormat.JSON])
def test_closed_sessions_come_back_closed_and_without_snapshots(
    ledger: Ledger, other: Ledger, tmp_path: Path, form: ExportFormat
) -> None:
    with ledger.begin() as uow:
        for name in ("archived", "failed"):
            uow.sessions.create(name)
            uow.messages.append(name, "user", "Hello")
        uow.sessions.archive("archived")
        uow.sessions.fail("failed")
    path = tmp_path / f"all.{form}"
    path.write_text(exported(ledger, form), encoding="utf-8")
    assert 2 == import_file(other, path).conversations
    with other.read() as uow:
        assert {"archived": "archived", "failed": "failed"} == {s.session_id: s.status for s in uow.sessions.list()}
        assert [] == uow.snapshots.list("archived")
