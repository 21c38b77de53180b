"""What this package writes is found sound, whatever was written, whoever's engine it is, and whoever writes meanwhile."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from chatledger import InvalidInput, Ledger
from chatledger.exchange import import_file
from tests.integrity.damage import DAMAGES, dump, fill
from tests.services.messages.nasty_values import GOOD_JSON, GOOD_TEXTS, GOOD_TIMES
from tests.support.clock import StoppedClock
from tests.support.raw import Raw


def test_whatever_can_be_stored(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", context={"of": GOOD_TEXTS[0]})
        for text in GOOD_TEXTS:
            uow.messages.append("s", "tool", text, name=text or None, metadata={text: text})
        for value in GOOD_JSON:
            uow.messages.append("s", "tool", payload=value)
            uow.metadata.set("s", f"{value!r}"[:200], value)
        for moment in GOOD_TIMES:
            uow.messages.append("s", "user", created_at=moment)
        uow.snapshots.take("s")
    assert ledger.check(), ledger.check()


def test_a_ledger_that_has_seen_everything(url: str) -> None:
    clock = StoppedClock()
    fill(url)
    with closing(Ledger(url, clock=clock)) as ledger:
        with ledger.begin() as uow:
            uow.messages.redact("trip", 2)
            uow.messages.clear("work")
            uow.timeouts.configure_default(hard_timeout=86400.0)
            uow.sessions.create("late", idle_timeout=30.0)
            uow.sessions.pause("home")
            uow.sessions.archive("trip")
            uow.sessions.reopen("trip")
        ledger.sweep()
        clock.advance(days=2)
        ledger.sweep()
        with ledger.begin() as uow:
            uow.snapshots.restore("trip:1", as_session_id="again")
        assert ledger.check(), ledger.check()
        ledger.erase_user("ada", keep_totals=True, scrub=False)
        report = ledger.check()
        assert report.ok, report
        assert {"no_digest"} >= {finding.kind for finding in report.findings}


@pytest.mark.parametrize("backend", ["sqlite"])
def test_real_conversations(ledger: Ledger, shared_data: Path) -> None:
    for name in sorted(path for path in shared_data.glob("*_export/*.json"))[:3]:
        import_file(ledger, name)
    assert ledger.info()["rows"]["messages"]
    assert ledger.check(), ledger.check()


def test_an_applications_engine(url: str) -> None:
    fill(url)
    DAMAGES["wrong totals"].do(url)
    engine = create_engine(url)
    with closing(Ledger(engine=engine)) as ledger:
        assert not ledger.check()
        assert ledger.repair(dry_run=True)
        assert ledger.repair(backup=False)
        assert ledger.check()
    engine.dispose()


def test_a_ledger_in_memory(tmp_path: Path) -> None:
    with closing(Ledger(":memory:")) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
        assert ledger.check()
        with pytest.raises(InvalidInput, match="in memory"):
            ledger.repair(backup=tmp_path / "x.db")
        assert ledger.repair().backup is None


def test_writers_beside_a_check_and_a_repair(filled: str) -> None:
    DAMAGES["wrong totals"].do(filled)
    enough = threading.Event()
    written: list[int] = []

    def write() -> None:
        with closing(Ledger(filled)) as ledger:
            while not enough.is_set():
                ledger.run(lambda uow: written.append(uow.messages.append("work", "user", "on").sequence_number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with closing(Ledger(filled)) as ledger:
            assert {"counters"} == {finding.kind for finding in ledger.check().findings}
            assert ledger.repair(backup=False)
            assert ledger.check()
    finally:
        enough.set()
        writer.join()
    with closing(Ledger(filled)) as ledger:
        assert ledger.check()
    stored = Raw(filled)("SELECT count(*) FROM chatledger_messages WHERE session_id = 'work'")[0][0]
    assert len(written) == len(set(written)) == stored - 5


def test_a_repair_that_is_stopped_is_taken_back(filled: str, tmp_path: Path) -> None:
    DAMAGES["wrong totals"].do(filled)
    before = dump(filled)

    def stop(*figures: Any) -> None:
        raise KeyboardInterrupt

    with closing(Ledger(filled)) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.repair(progress=stop)
        assert before == dump(filled)
        assert [] == list(tmp_path.glob("*before-repair*"))
        assert ledger.repair(backup=False)
