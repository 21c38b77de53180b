"""What the children of a nursery do to the lifecycle of sessions: sweep, purge, erase, and write in between."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import timedelta
from typing import Any

from chatledger import Ledger, SessionClosed, SessionNotFound
from tests.faults.acknowledging import acknowledge

# Of all sessions of the crowd, in seconds.
IDLE, ARCHIVE, KEPT = 1, 2, 0.7


def sweep_for(side: int, url: str, seconds: float) -> dict[str, int]:
    """Sweep again and again; what was done, and a line for each warning."""
    done = {"archived": 0, "warned": 0, "failed": 0}
    deadline = time.monotonic() + seconds
    with closing(Ledger(url)) as ledger:
        while time.monotonic() < deadline:
            report = ledger.sweep(
                send=lambda due: acknowledge(side, due.session_id, due.limit.value, due.at.isoformat())
            )
            for name in done:
                done[name] += getattr(report, name)
            time.sleep(0.02)
    return done


def purge_for(side: int, url: str, seconds: float) -> int:
    """Purge again and again what was archived a while ago; how many there were."""
    count = 0
    deadline = time.monotonic() + seconds
    with closing(Ledger(url)) as ledger:
        while time.monotonic() < deadline:
            count += ledger.purge(older_than=KEPT, actor="purger").sessions
            time.sleep(0.1)
    return count


def converse_for(side: int, url: str, seconds: float) -> dict[str, float]:
    """Keep some sessions busy, begin others and leave them, and come back to some of those at the last moment."""
    count = {"begun": 0.0, "revived": 0.0, "late": 0.0, "longest": 0.0}
    left: list[tuple[float, str]] = []
    deadline = time.monotonic() + seconds
    with closing(Ledger(url)) as ledger:

        def begin(session: str) -> None:
            made = ledger.run(lambda uow: uow.sessions.create(session, metadata={"turn": 1}))
            acknowledge(side, session, 0, "", made.created_at.isoformat())
            count["begun"] += 1

        def say(session: str, text: str) -> bool:
            began = time.monotonic()
            try:
                message = ledger.run(lambda uow: uow.messages.append(session, "user", text, input_tokens=1))
            except (SessionClosed, SessionNotFound):  # or this process was kept from its work: the test knows the times
                count["late"] += 1
                return False
            count["longest"] = max(count["longest"], time.monotonic() - began)
            acknowledge(side, session, message.sequence_number, text, message.created_at.isoformat())
            return True

        busy = ["busy 1", "busy 2"]
        for session in busy:
            begin(session)
        turn = 0
        while time.monotonic() < deadline:
            turn += 1
            busy = [session for session in busy if say(session, f"busy {turn}")]
            begin(f"left {turn}")
            if say(f"left {turn}", "hello"):
                left.append((time.monotonic() + random.uniform(0.9, 1.02) * ARCHIVE, f"left {turn}"))
            while left and left[0][0] <= time.monotonic():
                _, session = left.pop(0)
                if random.random() < 0.5 and say(session, "still here"):
                    count["revived"] += 1
            time.sleep(0.01)
    return count


def sweep_once(side: int, url: str) -> int:
    with closing(Ledger(url)) as ledger:
        acknowledge(side, "begun")
        return ledger.sweep(send=lambda due: acknowledge(side, due.session_id)).archived


def purge_once(side: int, url: str) -> int:
    with closing(Ledger(url)) as ledger:
        acknowledge(side, "begun")
        return ledger.purge(older_than=timedelta(0), actor="purger").sessions


def erase_once(side: int, url: str, user: str, keep_totals: bool) -> int:
    with closing(Ledger(url)) as ledger:
        acknowledge(side, "begun")
        return ledger.erase_user(user, keep_totals=keep_totals).sessions


def lock_file(side: int, path: str, seconds: float) -> None:
    """Hold a SQLite file's write lock, as a program that knows nothing of us."""
    import sqlite3  # noqa: PLC0415

    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as file:
        file.execute("BEGIN IMMEDIATE")
        acknowledge(side, "locked")
        time.sleep(seconds)
        file.execute("ROLLBACK")


def sweep_after_fork(side: int, url: str) -> dict[str, Any]:
    """Fork with a sweeper running: the child has none until it starts it again."""
    import os  # noqa: PLC0415

    heard: list[Any] = []

    def sweeps() -> bool:
        heard.clear()
        limit = time.monotonic() + 10
        while not heard and time.monotonic() < limit:
            time.sleep(0.01)
        return bool(heard)

    with closing(Ledger(url)) as ledger:
        sweeper = ledger.sweeper(0.02, on_report=heard.append).start()
        sweeps()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                alone = not sweeper.running
                sweeper.start()
                code = 0 if alone and sweeps() and sweeper.stop(10) else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        return {"child": os.waitstatus_to_exitcode(status), "parent": sweeps() and sweeper.stop(10)}
