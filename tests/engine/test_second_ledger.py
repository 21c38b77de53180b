"""Several ledgers on one database in one process, with other processes beside them.

On POSIX a file's locks belong to the process: whoever opens the file and closes it again, for whatever reason, drops
the locks of every SQLite connection in the process. Other processes would then take the log away from under it.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.truth import numbered_messages, require_sound


@pytest.mark.parametrize("second", ["closed", "open"])
def test_a_second_ledger_does_not_take_the_locks_of_the_first(nursery: Nursery, url: str, second: str) -> None:
    acknowledged = []
    with closing(Ledger(url)) as first:
        first.run(lambda uow: uow.sessions.create("s"))
        other = Ledger(url)
        if second == "closed":
            other.close()
        for round_ in range(3):
            child = nursery.start("append", url, ["s"], 5, f"process {round_}")
            acknowledged += [(number, text) for _, number, text in child.result()["acknowledged"]]
            if url.startswith("sqlite"):
                # The child was not the last to close the file, so the log is still there.
                assert Path(f"{url.removeprefix('sqlite:///')}-wal").exists()
            for each in range(5):
                text = f"thread {round_} {each}"
                message = first.run(lambda uow, text=text: uow.messages.append("s", "user", text))  # type: ignore[misc]
                acknowledged.append((message.sequence_number, text))
        other.close()
    stored = numbered_messages(url, "s")
    assert dict(acknowledged) == stored
    require_sound(url)


def test_two_ledgers_of_one_process_take_turns(url: str) -> None:
    with closing(Ledger(url)) as one, closing(Ledger(url)) as two:
        one.run(lambda uow: uow.sessions.create("s"))
        for number in range(1, 21):
            ledger = (one, two)[number % 2]
            assert number == ledger.run(lambda uow: uow.messages.append("s", "user", "x")).sequence_number
