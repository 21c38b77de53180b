"""A copy is the same ledger, to the last digit, whichever database it goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatledger import (
    Conflict,
    CorruptDatabase,
    InvalidInput,
    Ledger,
    NotALedger,
    SchemaBehind,
    Unavailable,
    copy_ledger,
)
from tests.backup.rows import counts, stored
from tests.faults.nursery import ChildFailed, Nursery
from tests.faults.truth import require_sound
from tests.support.raw import Raw
from tests.support.sqlite import url_of


def test_the_other_database_holds_exactly_the_same(filled: str, empty_target: str) -> None:
    report = copy_ledger(filled, empty_target)
    before = stored(filled)
    assert before == stored(empty_target)
    assert report.rows == {name: len(rows) for name, rows in before.items() if name in report.rows}
    assert all(report.rows.values())
    require_sound(empty_target)
    with Ledger(empty_target) as ledger:
        assert ledger.check()


def test_the_same_kind_of_database_holds_exactly_the_same(
    filled: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if backend == "sqlite":
        target = url_of(tmp_path / "second.db")
    else:
        target = request.getfixturevalue("postgres_server").create("second_of_copies")
    try:
        copy_ledger(filled, target)
        assert stored(filled) == stored(target)
    finally:
        if backend == "postgresql":
            request.getfixturevalue("postgres_server").drop("second_of_copies")


def test_there_and_back_again(filled: str, empty_target: str, tmp_path: Path) -> None:
    copy_ledger(filled, empty_target)
    back = url_of(tmp_path / "back.db")
    copy_ledger(empty_target, back)
    assert stored(filled) == stored(back)


def test_the_copy_goes_on_where_the_source_stood(filled: str, empty_target: str) -> None:
    copy_ledger(filled, empty_target)
    with Ledger(filled) as first, Ledger(empty_target) as second:
        for ledger in (first, second):
            with ledger.begin() as uow:
                # Three were popped: their numbers are not handed out again.
                assert 122 == uow.messages.append("trip", "user", "and on").sequence_number
                assert 2 == uow.messages.append("idle one", "user", "awake").sequence_number
                uow.sessions.delete("idle one")
        with first.read() as uow, second.read() as other:
            assert uow.audit.list().items[0].audit_id == other.audit.list().items[0].audit_id
            assert [hit.sequence_number for hit in uow.search.messages("zürich")] == [
                hit.sequence_number for hit in other.search.messages("zürich")
            ]


def test_an_open_ledger_copies_itself_while_it_is_written_to(any_ledger: Ledger, url: str, tmp_path: Path) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    any_ledger.run(lambda uow: uow.messages.append("s", "user", "in time"))
    told: set[str] = set()

    def write(what: str, done: int, total: int | None) -> None:
        if what == "chatledger_messages" and what not in told:
            with Ledger(url) as other:
                other.run(lambda uow: uow.messages.append("s", "user", "too late"))
        told.add(what)

    report = any_ledger.copy_to(tmp_path / "copy.db", progress=write)
    assert ({"chatledger_messages", "comparing"} <= told, 1) == (True, report.rows["chatledger_messages"])
    with Ledger(tmp_path / "copy.db") as copy, copy.read() as uow:
        assert ["in time"] == [message.content for message in uow.messages.history("s")]
        assert 1 == uow.sessions.get("s").message_count


@pytest.mark.parametrize("rows", ["sessions", "audit"])
def test_a_target_with_rows_is_refused(filled: str, tmp_path: Path, rows: str) -> None:
    target = tmp_path / "target.db"
    with Ledger(target) as ledger, ledger.begin() as uow:
        uow.sessions.create("mine")
        if rows == "audit":
            uow.sessions.delete("mine")
    with pytest.raises(Conflict, match="holds rows already"):
        copy_ledger(filled, target)
    assert (int(rows == "sessions"), 0) == counts(url_of(target))


def test_a_ledger_is_not_copied_into_itself(filled: str, tmp_path: Path) -> None:
    before = stored(filled)
    with pytest.raises(InvalidInput, match="the same database"):
        copy_ledger(filled, filled)
    assert before == stored(filled)


def test_a_source_must_be_there(tmp_path: Path, empty_url: str) -> None:
    with pytest.raises(Unavailable, match="no ledger at"):
        copy_ledger(tmp_path / "tpyo.db", empty_url)
    assert [] == [path.name for path in tmp_path.glob("tpyo*")]


def test_a_source_at_another_revision_is_refused_before_a_target_is_made(url: str, tmp_path: Path) -> None:
    with Ledger(url) as ledger:
        ledger.downgrade("0003")
    with pytest.raises(SchemaBehind):
        copy_ledger(url, tmp_path / "target.db")
    assert not (tmp_path / "target.db").exists()


def test_a_target_of_something_else_is_refused(filled: str, empty_target: str) -> None:
    if empty_target.startswith("sqlite"):
        Path(empty_target.removeprefix("sqlite:///")).write_bytes(b"my notes")
    else:
        Raw(empty_target)("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(NotALedger):
        copy_ledger(filled, empty_target)


def test_an_orphan_is_named_and_nothing_is_copied(filled: str, backend: str, empty_target: str) -> None:
    if backend != "sqlite":
        pytest.skip("PostgreSQL has none")
    raw = Raw(filled)
    with raw.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(
            "UPDATE chatledger_messages SET session_id = 'nowhere' WHERE session_id = 'idle one'"
        )
        connection.commit()
    with pytest.raises(Conflict, match=r"a row of chatledger_messages breaks a rule: run `chatledger db check`"):
        copy_ledger(filled, empty_target)
    assert (0, 0) == counts(empty_target)


@pytest.mark.parametrize(
    ("column", "value"), [("payload", "{broken"), ("created_at", "yesterday"), ("created_at", "2026-05-01T09:00:00")]
)
def test_a_damaged_value_is_not_mended_silently(
    filled: str, backend: str, postgres_url: str, column: str, value: str
) -> None:
    if backend != "sqlite":
        pytest.skip("PostgreSQL refuses to store it")
    Raw(filled)(f"UPDATE chatledger_messages SET {column} = :value WHERE session_id = 'idle one'", value=value)
    with pytest.raises(CorruptDatabase):
        copy_ledger(filled, postgres_url)
    assert (0, 0) == counts(postgres_url)


@pytest.mark.parametrize(
    "step", ["chatledger_sessions", "chatledger_messages", "chatledger_session_timeouts", "comparing"]
)
def test_a_killed_copy_leaves_the_target_empty_and_can_be_run_again(
    filled: str, empty_target: str, nursery: Nursery, step: str
) -> None:
    before = stored(filled)
    with pytest.raises(ChildFailed, match="no outcome"):
        nursery.start("copy_and_die", filled, empty_target, step).result()
    assert before == stored(filled)
    assert (0, 0) == counts(empty_target)
    copy_ledger(filled, empty_target)
    assert before == stored(empty_target)


def test_progress_that_raises_ends_the_copy(filled: str, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int | None) -> None:
        if what == "chatledger_messages":
            raise KeyError("enough")

    with pytest.raises(KeyError):
        copy_ledger(filled, tmp_path / "target.db", progress=stop)
    assert (0, 0) == counts(url_of(tmp_path / "target.db"))
    copy_ledger(filled, tmp_path / "target.db")
    assert stored(filled) == stored(url_of(tmp_path / "target.db"))


def test_a_trigger_of_ours_is_as_before(filled: str, empty_target: str) -> None:
    copy_ledger(filled, empty_target)
    with Ledger(empty_target) as ledger:
        assert ledger.check().ok
        before = ledger.run(lambda uow: uow.sessions.get("held").message_count)
        ledger.run(lambda uow: uow.messages.append("held", "user", "counted"))
        assert before + 1 == ledger.run(lambda uow: uow.sessions.get("held").message_count)
