"""What the children of a nursery do. Each takes the descriptor of its side file first and returns JSON."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

# Loaded before the fork, so that a child is at its task at once and a kill falls into the task.
import alembic.command
import alembic.config
import psycopg  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401

import tests.support.everything  # noqa: F401
from chatledger import Ledger, Settings, copy_ledger
from tests.faults import batch_workers, housekeepers, repricers, workflow_tasks
from tests.faults.acknowledging import acknowledge


def open_it(side: int, url: str) -> dict[str, Any]:
    """Open a database, perhaps the first to do so, and write to it."""
    began = time.monotonic()
    with Ledger(url) as ledger:
        opened = time.monotonic() - began
        session = ledger.run(lambda uow: uow.sessions.create())
        ledger.run(lambda uow: uow.messages.append(session.session_id, "user", "hello"))
        return {"revision": ledger.current(), "seconds": opened}


def append(side: int, url: str, sessions: list[str], count: int, name: str) -> dict[str, Any]:
    """Append so many messages, a transaction each, in turn to the sessions."""
    longest = 0.0
    acknowledged = []
    with closing(Ledger(url, settings=Settings.preset("cli"))) as ledger:
        for number in range(count):
            session = sessions[number % len(sessions)]
            began = time.monotonic()
            with ledger.begin() as uow:
                sequence = uow.messages.append(session, "user", f"{name} {number}", input_tokens=1).sequence_number
            longest = max(longest, time.monotonic() - began)
            acknowledged.append((session, sequence, f"{name} {number}"))
    return {"longest": longest, "acknowledged": acknowledged}


def append_until_killed(side: int, url: str, session: str, name: str) -> None:
    """Append one message after another, some by the dozen, and acknowledge each after its commit. Search now and then,
    which indexes the messages that wait for it.
    """
    ledger = Ledger(url)
    number = 0
    while True:
        chance = random.random()
        if chance < 0.1:
            texts = [f"{name} {number + more}" for more in range(12)]
            with ledger.begin() as uow:
                stored = uow.messages.append_many(
                    session, [{"role": "user", "content": text, "input_tokens": 1} for text in texts]
                )
            for message in stored:
                acknowledge(side, message.sequence_number, message.content)
            number += 12
        elif chance < 0.15:
            with ledger.read() as uow:
                uow.search.messages(f"{number}")
        else:
            if chance < 0.6:
                message = ledger.append(session, "user", f"{name} {number}", input_tokens=1)
            else:
                with ledger.begin() as uow:
                    message = uow.messages.append(session, "user", f"{name} {number}", input_tokens=1)
            acknowledge(side, message.sequence_number, message.content)
            number += 1


def upgrade(side: int, url: str, revision: str = "head") -> str | None:
    """Migrate an existing database, or open and so migrate one that is empty or missing."""
    with closing(Ledger(url, migrate="never")) as ledger:
        ledger.upgrade(revision)
        return ledger.current()


def downgrade(side: int, url: str, revision: str) -> str | None:
    with closing(Ledger(url, migrate="never")) as ledger:
        ledger.downgrade(revision)
        return ledger.current()


def fork_and_append(side: int, url: str, session: str, count: int) -> int:
    """Open, append, fork; then parent and child append at the same time on what they both opened."""
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.messages.append(session, "user", "before"))
        # Connections lie in the pool, and one reading block is open, when the fork comes.
        with ledger.read() as uow:
            uow.messages.history(session)
            pid = os.fork()
            if pid == 0:
                _append_and_leave(side, ledger, session, "child", count)
        _append(side, ledger, session, "parent", count)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)


def fork_shared(side: int, url: str, session: str, count: int) -> int:
    """Fork with a shared ledger: parent and child ask for it again, write, and close it as often as they have it."""
    ledger = Ledger.shared(url)
    pid = os.fork()
    again = Ledger.shared(url)
    if again is not ledger:
        return 1
    if pid == 0:
        again.close()
        _append_and_leave(side, ledger, session, "child", count)
    again.close()
    _append(side, ledger, session, "parent", count)
    ledger.close()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def fork_while_a_thread_writes(side: int, url: str, session: str, count: int) -> int:
    """Fork while another thread holds the writers' queue: the child must not wait for a holder that it has not got."""
    import threading  # noqa: PLC0415

    with closing(Ledger(url)) as ledger:
        inside, done = threading.Event(), threading.Event()

        def hold() -> None:
            with ledger.begin() as uow:
                uow.messages.append(session, "user", "held")
                inside.set()
                done.wait(0.3)

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait(5)
        pid = os.fork()
        if pid == 0:
            _append_and_leave(side, ledger, session, "child", count)
        thread.join()
        _append(side, ledger, session, "parent", count)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)


def fork_and_close(side: int, url: str, session: str, count: int) -> int:
    """Fork with an idle pool, as a server does that loads before it forks; the parent closes, the child writes on."""
    ledger = Ledger(url)
    ledger.run(lambda uow: uow.messages.append(session, "user", "before"))
    pid = os.fork()
    if pid == 0:
        _append(side, ledger, session, "child, early", count)
        acknowledge(side, 0, "ready")
        time.sleep(0.5)
        _append_and_leave(side, ledger, session, "child, late", count)
    time.sleep(0.3)
    ledger.close()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _append(side: int, ledger: Ledger, session: str, name: str, count: int) -> None:
    for number in range(count):
        text = f"{name} {number}"
        message = ledger.run(lambda uow, text=text: uow.messages.append(session, "user", text))  # type: ignore[misc]
        acknowledge(side, message.sequence_number, text)


def _append_and_leave(side: int, ledger: Ledger, session: str, name: str, count: int) -> None:
    code = 1
    try:
        _append(side, ledger, session, name, count)
        ledger.close()
        code = 0
    finally:
        os._exit(code)


def repair(side: int, url: str, pause: float) -> dict[str, Any]:
    """Repair a ledger, and rest after each table of the look at what came of it, before the commit."""

    def told(table: str, rows: int, total: int) -> None:
        acknowledge(side, table)
        time.sleep(pause)

    with closing(Ledger(url)) as ledger:
        done = ledger.repair(progress=told)
    return {"ok": done.ok, "backup": str(done.backup)}


def poll(side: int, url: str, session: str, seconds: float) -> dict[str, Any]:
    """Read what is new again and again; every message seen, in the order of seeing."""
    seen: list[int] = []
    deadline = time.monotonic() + seconds
    with closing(Ledger(url)) as ledger:
        while time.monotonic() < deadline:
            with ledger.read() as uow:
                fresh = uow.messages.history(session, after=seen[-1] if seen else 0)
            seen += [message.sequence_number for message in fresh]
    return {"seen": seen}


def copy_and_die(side: int, source: str, target: str, step: str) -> None:
    """Copy a ledger, and be killed as soon as a step is told."""
    copy_ledger(source, target, progress=_die_at(step))


def back_up_and_die(side: int, url: str, path: str, step: str, overwrite: bool) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.backup(path, overwrite=overwrite, progress=_die_at(step))


def restore_and_die(side: int, path: str, url: str, step: str) -> None:
    Ledger.restore(path, url, overwrite=True, progress=_die_at(step))


def restore(side: int, path: str, url: str) -> int:
    """Restore, to be killed at any moment; how many messages there are."""
    return Ledger.restore(path, url, overwrite=True).rows["chatledger_messages"]


def _die_at(step: str) -> Callable[[str, int, int | None], None]:
    def told(what: str, done: int, total: int | None) -> None:
        if what == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return told


def adopt_slowly(side: int, url: str, source: str) -> None:
    """Take over an older database, with a pause at each session that leaves time for a kill."""
    from chatledger.adoption import AdoptionProgress, adopt  # noqa: PLC0415 - for the tests of adoption only

    def pause(progress: AdoptionProgress) -> None:
        acknowledge(side, progress.step)
        time.sleep(0.2 if progress.step == "copying" else 0.001)

    with closing(Ledger(url)) as ledger:
        adopt(ledger, source, progress=pause)
    acknowledge(side, "done")


execute_diamond = workflow_tasks.execute_diamond
resume_diamond = workflow_tasks.resume_diamond
reprice_slowly = repricers.reprice_slowly
sweep_for = housekeepers.sweep_for
purge_for = housekeepers.purge_for
converse_for = housekeepers.converse_for
sweep_once = housekeepers.sweep_once
purge_once = housekeepers.purge_once
erase_once = housekeepers.erase_once
lock_file = housekeepers.lock_file
sweep_after_fork = housekeepers.sweep_after_fork

_ = (alembic.command, alembic.config)
work_on = batch_workers.work_on
claim_and_hang = batch_workers.claim_and_hang
