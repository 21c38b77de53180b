"""One ledger for each URL and process, one pool for sync and async, and opening that only looks."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, LedgerClosed, NotALedger, SchemaBehind, Settings
from tests.faults.nursery import Nursery
from tests.faults.truth import numbered_messages, require_acknowledged, require_sound
from tests.support.flavors import open_ledger


def test_a_process_shares_one_ledger_for_a_url_and_closes_it_with_the_last(url: str) -> None:
    first = Ledger.shared(url)
    with Ledger.shared(url) as second:
        assert first is second
        second.run(lambda uow: uow.sessions.create("s"))
    assert 1 == first.run(lambda uow: uow.messages.append("s", "user", "still open")).sequence_number
    first.close()
    with pytest.raises(LedgerClosed):
        first.current()
    first.close()  # once too often is harmless
    with Ledger.shared(url) as third:
        assert third is not first
        assert 1 == third.view(lambda uow: uow.sessions.get("s")).message_count


def test_a_file_is_known_by_its_path(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger.shared(sqlite_url) as one, Ledger.shared("chat.db") as two, Ledger.shared(Path("./chat.db")) as three:
        assert one is two is three
        with Ledger.shared("sqlite:///other.db") as other:
            assert other is not one


def test_other_options_for_a_shared_ledger_are_refused(url: str) -> None:
    with Ledger.shared(url, settings=Settings(busy_timeout=1)):
        with pytest.raises(InvalidInput, match="other options"):
            Ledger.shared(url)
        with Ledger.shared(url, settings=Settings(busy_timeout=1)):
            pass
    with Ledger.shared(url):
        pass


def test_an_opening_that_failed_is_tried_again(empty_url: str) -> None:
    with pytest.raises(NotALedger):
        Ledger.shared(empty_url, migrate="check")
    with Ledger.shared(empty_url) as ledger:
        assert ledger.current()


def test_threads_that_ask_at_once_get_one_ledger(empty_url: str) -> None:
    found: list[Ledger] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        found.append(Ledger.shared(empty_url))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 8 == len(found)
    assert 1 == len(set(map(id, found)))
    for ledger in found[1:]:
        ledger.close()
    assert found[0].current()
    found[0].close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_parent_and_child_share_a_ledger_across_a_fork(nursery: Nursery, url: str) -> None:
    with Ledger(url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    child = nursery.start("fork_shared", url, "s", 20)
    assert 0 == child.result()
    stored = numbered_messages(url, "s")
    assert 40 == len(stored)
    require_acknowledged(stored, child.acknowledged())
    require_sound(url)


def test_a_sync_and_an_async_shared_ledger_have_one_pool(url: str) -> None:
    async def use() -> None:
        async with AsyncLedger.shared(url) as first:
            second = AsyncLedger.shared(url)
            assert first is second
            with Ledger.shared(url) as ledger:
                assert await second.synchronous() is ledger
            await second.run(lambda uow: uow.sessions.create("s"))
            await second.close()
            assert 1 == (await first.run(lambda uow: uow.messages.append("s", "user", "still open"))).sequence_number
        with pytest.raises(LedgerClosed):
            await first.current()
        async with AsyncLedger.shared(url) as third:
            assert third is not first

    asyncio.run(use())


def test_an_async_ledger_uses_the_pool_of_a_sync_one_and_leaves_it_open(ledger: Ledger) -> None:
    async def use() -> None:
        async with AsyncLedger(ledger=ledger) as awaited:
            assert await awaited.synchronous() is ledger
            await awaited.run(lambda uow: uow.sessions.create("s", user_id="ada"))
            async with awaited.begin() as uow:
                await uow.messages.append("s", "user", "awaited")
            assert 1 == (await awaited.for_user("ada").view(lambda uow: uow.sessions.get("s"))).message_count
        with pytest.raises(LedgerClosed):
            await awaited.current()

    asyncio.run(use())
    assert ["awaited"] == [message.content for message in ledger.view(lambda uow: uow.messages.history("s"))]


def test_an_async_ledger_takes_a_ledger_or_how_to_open_one(ledger: Ledger, url: str) -> None:
    for others in ({"url": url}, {"engine": ledger.engine}, {"settings": Settings()}, {"durability": "full"}):
        with pytest.raises(InvalidInput, match="ledger"):
            AsyncLedger(ledger=ledger, **others)
    with pytest.raises(InvalidInput, match="must be a Ledger"):
        AsyncLedger(ledger=ledger.for_user("ada"))  # type: ignore[arg-type] # that is the point


def test_check_looks_and_never_creates(empty_url: str, flavor: str, tmp_path: Path) -> None:
    with pytest.raises(NotALedger, match="migrate"), open_ledger(flavor, empty_url, migrate="check") as ledger:
        ledger.current()
    with Ledger(empty_url, migrate="never") as ledger:
        assert ledger.current() is None
    missing = tmp_path / "nowhere" / "chat.db"
    with pytest.raises(NotALedger, match="check the path"):
        Ledger(missing, migrate="check")
    assert not missing.parent.exists()


def test_check_refuses_an_older_ledger_and_opens_one_of_this_release(url: str, flavor: str) -> None:
    with open_ledger(flavor, url, migrate="check") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    with Ledger(url) as ledger:
        ledger.downgrade("0003")
    with pytest.raises(SchemaBehind), open_ledger(flavor, url, migrate="check") as ledger:
        ledger.current()
    with Ledger(url, migrate="never") as ledger:
        assert "0003" == ledger.current()
