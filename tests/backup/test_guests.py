"""On an application's own engine, too."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine

from chatledger import Ledger
from tests.backup.rows import fill, stored
from tests.support.sqlite import url_of


def test_an_applications_engine_is_backed_up_cared_for_and_left_as_it_was(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    with Ledger(engine=engine) as ledger:
        fill(ledger)
        ledger.backup(tmp_path / "b.db")
        ledger.copy_to(tmp_path / "copy.db")
        assert all(step.done or step.why for step in ledger.maintain(vacuum=True).steps)
        assert ledger.health().ok
        assert ledger.sizes()["tables"]["chatledger_messages"]
        assert stored(url) == stored(url_of(tmp_path / "b.db")) == stored(url_of(tmp_path / "copy.db"))
        ledger.run(lambda uow: uow.messages.append("trip", "user", "and on"))
    engine.dispose()
