"""What is particular to the asynchronous flavor: cancelled tasks, and a ledger that is yet to be opened."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatledger import AsyncLedger, Ledger
from tests.backup.rows import counts, stored, without_restoration
from tests.support.sqlite import url_of


def test_a_cancelled_copy_leaves_the_target_empty(filled: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncLedger(filled) as ledger:

            def cancel(what: str, done: int, total: int | None) -> None:
                if what == "chatledger_sessions":
                    loop.call_soon_threadsafe(copying.cancel)

            copying = asyncio.ensure_future(ledger.copy_to(target, progress=cancel))
            with pytest.raises(asyncio.CancelledError):
                await copying
            assert (0, 0) == counts(url_of(target))
            await ledger.copy_to(target)

    asyncio.run(main())
    assert stored(filled) == stored(url_of(target))


def test_a_cancelled_backup_leaves_nothing(filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncLedger(filled) as ledger:
            stopped = False

            def cancel(what: str, done: int, total: int | None) -> None:
                nonlocal stopped
                if not stopped:
                    stopped = True
                    asyncio.run_coroutine_threadsafe(_cancel(task), loop).result()

            task = asyncio.ensure_future(ledger.backup(folder, progress=cancel))
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [] == list(folder.iterdir())


def test_a_cancelled_restoration_leaves_the_old_ledger_or_the_new_one(old: Path, backup: Path) -> None:
    before = stored(url_of(old))

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def cancel(what: str, done: int, total: int | None) -> None:
            if what == "verifying":
                asyncio.run_coroutine_threadsafe(_cancel(task), loop).result()

        task = asyncio.ensure_future(AsyncLedger.restore(backup, url_of(old), overwrite=True, progress=cancel))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert before == stored(url_of(old))
    assert ["chat.db"] == [entry.name for entry in old.parent.iterdir()]
    Ledger.restore(backup, url_of(old), overwrite=True)
    assert without_restoration(stored(url_of(backup))) == without_restoration(stored(url_of(old)))


def test_health_of_a_ledger_that_cannot_be_opened_is_told_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("my notes\n" * 100)
    with Ledger(tmp_path / "old.db") as older:
        older.downgrade("0003")

    async def main() -> None:
        for name, kind in (("notes.db", "schema"), ("old.db", "schema"), ("missing/chat.db", "unreachable")):
            health = await AsyncLedger(tmp_path / name).health()
            assert (False, [kind]) == (health.ok, [problem.kind for problem in health.problems])
        ledger = AsyncLedger(tmp_path / "new.db")
        assert (await ledger.health()).ok
        await ledger.close()
        assert ["closed"] == [problem.kind for problem in (await ledger.health()).problems]

    asyncio.run(main())


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
