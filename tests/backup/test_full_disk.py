"""A disk that is full in the middle: nothing is lost or half done, and it works when there is room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chatledger import Ledger, OutOfSpace, Unavailable, copy_ledger
from tests.backup.rows import counts, stored, without_restoration
from tests.backup.small_disk import SmallDisk
from tests.faults.truth import require_sound
from tests.support.sqlite import url_of


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if entry.name != "taken"}


@pytest.mark.parametrize("room", [0, 4096, 100_000, 200_000])
def test_a_backup_leaves_nothing_behind(filled: str, small_disk: SmallDisk, room: int) -> None:
    with Ledger(filled) as ledger:
        taken = small_disk.fill(leave=room)
        with pytest.raises(Unavailable, match=r"disk is full|disk full|no room"):
            ledger.backup(small_disk.folder)
        assert set() == names(small_disk.folder)
        taken.unlink()
        report = ledger.backup(small_disk.folder)
    assert (report.rows["chatledger_sessions"], report.rows["chatledger_messages"]) == counts(url_of(Path(report.path)))


@pytest.mark.parametrize("room", [0, 4096, 100_000, 250_000])
def test_a_restoration_leaves_the_old_ledger(old: Path, backup: Path, small_disk: SmallDisk, room: int) -> None:
    target = small_disk.folder / "chat.db"
    shutil.copy(old, target)
    before = stored(url_of(target))
    taken = small_disk.fill(leave=room)
    with pytest.raises(OutOfSpace):
        Ledger.restore(backup, url_of(target), overwrite=True)
    assert {"chat.db"} == names(small_disk.folder)
    taken.unlink()
    assert before == stored(url_of(target))
    Ledger.restore(backup, url_of(target), overwrite=True)
    require_sound(url_of(target))
    assert without_restoration(stored(url_of(backup))) == without_restoration(stored(url_of(target)))


def test_a_copy_leaves_an_empty_target(filled: str, small_disk: SmallDisk) -> None:
    target = small_disk.folder / "copy.db"
    Ledger(target).close()
    taken = small_disk.fill(leave=300_000)
    with pytest.raises(OutOfSpace):
        copy_ledger(filled, target)
    taken.unlink()
    assert (0, 0) == counts(url_of(target))
    copy_ledger(filled, target)
    assert stored(filled) == stored(url_of(target))


def test_a_vacuum_without_room_changes_nothing(small_disk: SmallDisk) -> None:
    with Ledger(small_disk.folder / "chat.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.run(lambda uow: uow.messages.append_many("s", [{"role": "user", "content": "w " * 400}] * 700))
        ledger.maintain()
        taken = small_disk.fill(leave=20_000)
        with pytest.raises(OutOfSpace):
            ledger.maintain(vacuum=True, analyze=False, full_text=False)
        taken.unlink()
        ledger.maintain(vacuum=True)
        assert 700 == ledger.run(lambda uow: uow.sessions.get("s").message_count)
    require_sound(url_of(small_disk.folder / "chat.db"))


def test_an_erasure_that_cannot_rewrite_the_file_gives_its_receipt(small_disk: SmallDisk) -> None:
    with Ledger(small_disk.folder / "chat.db") as ledger:
        for name in ("a", "b"):
            ledger.run(lambda uow, name=name: uow.sessions.create(name, user_id="ada"))  # type: ignore[misc]
        ledger.run(lambda uow: uow.sessions.create("other", user_id="lin"))
        ledger.run(lambda uow: uow.messages.append_many("other", [{"role": "user", "content": "w " * 400}] * 700))
        ledger.maintain()
        taken = small_disk.fill(leave=200_000)
        receipt = ledger.erase_user("ada")
        assert (2, False) == (receipt.sessions, receipt.scrubbed)
        assert [] == ledger.run(lambda uow: list(uow.sessions.list(user_id="ada").items))
        taken.unlink()
        assert ledger.erase_user("ada").scrubbed is True
    require_sound(url_of(small_disk.folder / "chat.db"))


def test_a_merge_of_the_index_without_room_is_out_of_space(small_disk: SmallDisk) -> None:
    with Ledger(small_disk.folder / "chat.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        for part in range(6):
            texts = [f"{part} {number} {'w' * (number % 50)} " * 20 for number in range(100)]
            many = [{"role": "user", "content": text} for text in texts]
            ledger.run(lambda uow, many=many: uow.messages.append_many("s", many))  # type: ignore[misc]
        ledger.maintain(full_text=False)
        taken = small_disk.fill(leave=4096)
        with pytest.raises(OutOfSpace, match="disk is full"):
            ledger.maintain(vacuum=False, analyze=False)
        taken.unlink()
        ledger.maintain()
    require_sound(url_of(small_disk.folder / "chat.db"))
