"""What a process does around a ledger: folders that change, arguments that are wrong, exits that come early."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chatledger import AsyncLedger, Busy, InvalidInput, Ledger, Settings


def test_a_relative_path_means_the_same_file_after_the_folder_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        monkeypatch.chdir(folder)
        Ledger("rel.db").close()
    monkeypatch.chdir(here)
    with Ledger("rel.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        monkeypatch.chdir(there)
        with ledger.read() as first, ledger.read() as second:
            assert first.sessions.get("s") == second.sessions.get("s")


def test_a_path_object_is_a_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "chat.db") as ledger:
        assert ledger.check()
    assert (tmp_path / "chat.db").exists()


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("durability", {"durability": "FUL"}),
        ("migrate", {"migrate": "alway"}),
        ("preset", {"preset": "wbe"}),
        ("settings", {"settings": {}}),
        ("url", {"url": 5}),
        ("url", {"url": ""}),
    ],
)
def test_a_wrong_argument_is_refused_by_name(tmp_path: Path, field: str, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ledger(**{"url": str(tmp_path / "x.db"), **arguments})  # type: ignore[arg-type]  # wrong on purpose
    assert field == caught.value.field


def test_options_in_the_url_of_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="options"):
        Ledger(f"sqlite:///{tmp_path / 'x.db'}?mode=ro")


_UNFINISHED = """
import asyncio, sys
from chatledger import AsyncLedger
ledger = AsyncLedger(sys.argv[1])
async def work():
    async with ledger.begin() as uow:
        await uow.sessions.create("s")
        await asyncio.sleep(3600)
loop = asyncio.new_event_loop()
task = loop.create_task(work())
loop.run_until_complete(asyncio.sleep(0.3))
print("leaving")
"""


def test_a_task_that_never_ended_does_not_hold_the_exit(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _UNFINISHED, url], capture_output=True, text=True, timeout=30, check=False
    )
    assert "leaving" in done.stdout
    with Ledger(url) as ledger, ledger.read() as uow:
        assert uow.sessions.find("s") is None


def test_closing_inside_a_block_is_refused_and_not_waited_for(url: str) -> None:
    async def scene() -> None:
        ledger = AsyncLedger(url)
        async with ledger.begin() as uow:
            with pytest.raises(Busy, match="still open"):
                async with asyncio.timeout(20):
                    await ledger.close()
            await uow.sessions.create("s")
        await ledger.close()

    asyncio.run(scene())
    with Ledger(url) as ledger:
        assert "s" == ledger.run(lambda uow: uow.sessions.get("s")).session_id


def test_a_block_may_be_left_on_another_thread_than_it_was_entered_on(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url, settings=Settings(busy_timeout=5)) as ledger:
        block = ledger.begin()
        # As a framework does that runs each part of a request in a copy of its context.
        contextvars.copy_context().run(lambda: block.__enter__().sessions.create("s"))
        leaving = threading.Timer(0.3, lambda: block.__exit__(None, None, None))
        leaving.start()
        with ledger.begin() as uow:  # the thread that entered: it waits for its turn like any other
            assert "s" == uow.sessions.get("s").session_id
        leaving.join()


def test_an_interrupt_in_the_wait_for_a_turn_leaves_the_queue_in_order(migrated_sqlite_url: str) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    inside, leave = threading.Event(), threading.Event()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with Ledger(migrated_sqlite_url, settings=Settings(busy_timeout=5)) as ledger:

            def hold() -> None:
                with ledger.begin():
                    inside.set()
                    leave.wait(10)

            holder = threading.Thread(target=hold)
            holder.start()
            assert inside.wait(5)
            threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
            with pytest.raises(KeyboardInterrupt), ledger.begin():
                pass
            leave.set()
            holder.join()
            assert "s" == ledger.run(lambda uow: uow.sessions.create("s").session_id)
    finally:
        signal.signal(signal.SIGUSR1, before)
