"""What is not at head is refused by name, with the remedy, and left alone."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, NotALedger, SchemaAhead, SchemaBehind, SchemaError
from chatledger.migrate import HEAD
from tests.migrations.contents import fingerprint, names, revision
from tests.support.flavors import LoopThread
from tests.support.raw import Raw


def test_a_stale_database_is_refused_naming_the_remedy(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0002")
    with pytest.raises(SchemaBehind, match="run `chatledger db upgrade`") as refused:
        Ledger(url)
    assert ("0002", HEAD) == (refused.value.current, refused.value.head)
    assert "0002" == revision(url)


def test_a_stale_database_is_refused_by_the_async_ledger(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0003")
    loop = LoopThread()
    try:
        any_ledger = loop.call(AsyncLedger, url)
        with pytest.raises(SchemaBehind, match="run `chatledger db upgrade`"):
            loop.call(any_ledger.current)
        loop.call(any_ledger.close)
    finally:
        loop.close()


def test_migrate_always_upgrades_a_stale_database_with_its_rows(filled_url: str) -> None:
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("0001")
    with closing(Ledger(filled_url, migrate="always")) as ledger, ledger.read() as uow:
        assert HEAD == ledger.current()
        assert 27 == len(uow.messages.history("first"))


def test_migrate_never_does_not_look(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0002")
    with closing(Ledger(url, migrate="never")) as ledger:
        assert "0002" == ledger.current()


@pytest.mark.parametrize("how", ["empty", "always"])
def test_a_database_of_a_newer_release_is_refused(url: str, how: str) -> None:
    raw = Raw(url)
    raw("UPDATE chatledger_version SET version_num = '9999'")
    with pytest.raises(SchemaAhead, match="install a newer chatledger") as refused:
        Ledger(url, migrate=how)  # type: ignore[arg-type]  # the parameter is one of the words
    assert ("9999", HEAD) == (refused.value.current, refused.value.head)
    assert "9999" == revision(url)


@pytest.mark.parametrize("call", ["upgrade", "downgrade"])
def test_a_database_of_a_newer_release_is_not_migrated(url: str, call: str) -> None:
    Raw(url)("UPDATE chatledger_version SET version_num = '9999'")
    before = fingerprint(url)
    with closing(Ledger(url, migrate="never")) as ledger, pytest.raises(SchemaAhead):
        ledger.upgrade() if call == "upgrade" else ledger.downgrade("base")
    assert before == fingerprint(url)


def test_a_database_with_tables_of_something_else_is_refused_and_untouched(empty_url: str) -> None:
    raw = Raw(empty_url)
    raw("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    raw("INSERT INTO orders VALUES (1)")
    with pytest.raises(NotALedger, match="chatledger db upgrade"):
        Ledger(empty_url)
    assert {"orders"} == names(empty_url)
    assert 1 == raw.count("orders")


def test_an_unstamped_schema_of_ours_is_not_taken_for_a_migrated_one(url: str) -> None:
    # As after create_all, or a restore that lost the version: nothing says which triggers are there.
    Raw(url)("DROP TABLE chatledger_version")
    with pytest.raises((NotALedger, SchemaBehind)):
        Ledger(url)


@pytest.mark.parametrize("name", ["9999", "", "heads", "+1", "-1", "base", "0001:0002"])
def test_an_upgrade_to_a_revision_that_does_not_exist_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ledger.upgrade(name)
    assert "revision" == refused.value.field
    assert HEAD == ledger.current()


@pytest.mark.parametrize("name", ["0000", "", "head", "-1"])
def test_a_downgrade_to_a_revision_that_does_not_exist_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(InvalidInput):
        ledger.downgrade(name)
    assert HEAD == ledger.current()


def test_upgrade_never_goes_down_and_downgrade_never_up(ledger: Ledger) -> None:
    ledger.upgrade("0001")
    assert HEAD == ledger.current()
    ledger.downgrade("0002")
    with pytest.raises(Exception, match=r"0003|0002|revision") as refused:
        ledger.downgrade("0003")
    assert type(refused.value).__module__.startswith("chatledger")
    assert "0002" == ledger.current()


@pytest.mark.parametrize("how", ["empty", "always"])
@pytest.mark.parametrize("old", ["0001", "0004", "0011"])
def test_a_ledger_from_before_the_first_release_is_refused_naming_the_way_out(
    empty_url: str, old: str, how: Literal["empty", "always"]
) -> None:
    raw = Raw(empty_url)
    for table in ("sessions", "messages", "projects", "models", "session_metadata", "audit_log"):
        raw(f"CREATE TABLE {table} (session_id TEXT)")
    raw("CREATE TABLE chatledger_version (version_num VARCHAR(32) NOT NULL)")
    raw(f"INSERT INTO chatledger_version VALUES ('{old}')")
    before = names(empty_url)
    with pytest.raises(SchemaError, match=r"before the first release.*chatledger export.*chatledger import"):
        Ledger(empty_url, migrate=how)
    with closing(Ledger(empty_url, migrate="never")) as ledger:
        for act in (ledger.upgrade, lambda: ledger.downgrade("base", drop_content=True), ledger.check):
            with pytest.raises(SchemaError, match="before the first release"):
                act()
    assert before == names(empty_url)


def test_an_empty_database_is_called_empty(empty_url: str) -> None:
    with Ledger(empty_url, migrate="never") as ledger, pytest.raises(NotALedger, match="is empty: check its URL"):
        ledger.check()
