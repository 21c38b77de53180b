"""`timeouts watch` and `import --watch` as processes: what they print, how they end, and a database that goes away for a while."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy.engine import make_url

import chatledger
from chatledger import Ledger, Status
from tests.cli.conftest import Spawn
from tests.faults.test_restarted_server import restart
from tests.support.postgres import SERVER_VARIABLE


@contextmanager
def watching(
    url: str, here: Path, *options: str, command: Sequence[str] = ("timeouts", "watch")
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that watches, with its output in two files."""
    environment = {**os.environ, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])}
    with (here / "out").open("wb") as out, (here / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "chatledger", "--db", url, *command, *options],
            cwd=here, env=environment, stdout=out, stderr=err,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)


def until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


def test_folders_are_followed_until_a_signal_ends_it(migrated_sqlite_url: str, here: Path) -> None:
    folder = here / "chats"
    folder.mkdir()

    def said(name: str) -> None:
        record = {"session_id": name, "messages": [{"role": "user", "content": "x"}]}
        (here / name).write_text(json.dumps(record))
        (here / name).rename(folder / f"{name}.json")  # whole at once

    said("first")
    arguments = ["import", str(folder), "--watch", "--every", "1s"]
    with watching(migrated_sqlite_url, here, command=arguments) as process:
        until(lambda: (here / "out").read_bytes().count(b"\n") == 1)
        said("second")
        until(lambda: (here / "out").read_bytes().count(b"\n") == 2)
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(30)
    assert (here / "out").read_text().splitlines() == [
        "imported 1 conversation with 1 message (openai)", "imported 1 conversation with 1 message (openai), 1 file unchanged",
    ]  # fmt: skip
    assert b"Traceback" not in (here / "err").read_bytes()


def make_overdue(url: str, name: str) -> None:
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.sessions.create(name, hard_timeout=60, created_at=datetime.now(UTC) - timedelta(hours=1))


def status(url: str, name: str) -> Status:
    with Ledger(url) as ledger, ledger.read() as uow:
        return uow.sessions.get(name).status


# Each signal and each database once: a signal ends the process, whatever the database is.
@pytest.mark.parametrize(
    ("backend", "number", "code"), [("postgresql", signal.SIGTERM, 0), ("sqlite", signal.SIGINT, 130)]
)
def test_it_sweeps_until_a_signal_ends_it(url: str, here: Path, number: int, code: int) -> None:
    make_overdue(url, "first")
    with watching(url, here, "--every", "1s") as process:
        until(lambda: (here / "out").read_bytes().count(b"\n") == 1)
        make_overdue(url, "second")
        until(lambda: (here / "out").read_bytes().count(b"\n") == 2)
        process.send_signal(number)
        assert code == process.wait(30)
    lines = (here / "out").read_text().splitlines()
    assert ["archived 1", "archived 1"] == [line.split("Z ", 1)[1] for line in lines]
    assert [True, True] == [datetime.fromisoformat(line.split("Z ")[0]).year >= 2025 for line in lines]
    assert "" == (here / "err").read_text()


def test_a_long_interval_does_not_delay_the_end(sqlite_url: str, here: Path) -> None:
    make_overdue(sqlite_url, "s")
    with watching(sqlite_url, here, "--every", "1d", "--json") as process:
        until(lambda: (here / "out").read_bytes().endswith(b"\n"))
        process.terminate()
        assert 0 == process.wait(10)
    assert 1 == json.loads((here / "out").read_text())["archived"]


def test_warnings_go_to_the_command_and_the_log(sqlite_url: str, here: Path) -> None:
    with Ledger(sqlite_url) as ledger, ledger.begin() as uow:
        uow.sessions.create("near", idle_timeout=3600, created_at=datetime.now(UTC) - timedelta(minutes=57))
    take = "import pathlib, sys; pathlib.Path('told').write_bytes(sys.stdin.buffer.read())"
    command = shlex.join([sys.executable, "-c", take])
    with watching(sqlite_url, here, "--every", "1s", "--notify-exec", command) as process:
        until(lambda: (here / "out").read_bytes().endswith(b"\n"))
        process.terminate()
        assert 0 == process.wait(30)
    assert "near" == json.loads((here / "told").read_text())["session_id"]
    assert (here / "out").read_text().endswith("Z warned 1\n")
    assert "Z session about to time out · near · idle · " in (here / "err").read_text()


def test_it_ends_after_the_session_that_is_being_dealt_with(sqlite_url: str, here: Path) -> None:
    with Ledger(sqlite_url) as ledger, ledger.begin() as uow:
        for name in ("a", "b"):
            uow.sessions.create(name, idle_timeout=3600, created_at=datetime.now(UTC) - timedelta(minutes=57))
    slow = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(1); open('done', 'a').write('x')"
    with watching(sqlite_url, here, "--notify-exec", shlex.join([sys.executable, "-c", slow])) as process:
        until((here / "up").exists)
        process.terminate()
        assert 0 == process.wait(30)
    # The command was waited for, and the second session is left to the next sweep.
    assert "x" == (here / "done").read_text()
    assert (here / "out").read_text().endswith("Z warned 1\n")
    with Ledger(sqlite_url) as ledger, ledger.read() as uow:
        assert 1 == [uow.timeouts.get(name).warned_at for name in "ab"].count(None)


def test_it_fails_at_once_where_there_is_no_ledger(spawn: Spawn) -> None:
    for place in ("nowhere.db", "postgresql://nobody@127.0.0.1:1/none"):
        done = spawn("--db", place, "timeouts", "watch")
        assert (1, b"", 1) == (done.returncode, done.stdout, done.stderr.count(b"\n")), done.stderr


@pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="the server belongs to somebody else")
def test_it_outlives_a_restart_of_the_server(migrated_postgres_url: str, here: Path) -> None:
    url = migrated_postgres_url
    make_overdue(url, "before")
    with watching(url, here, "--every", "1s") as process:
        until(lambda: status(url, "before") is Status.ARCHIVED)
        restart(Path(str(make_url(url).query["host"])))
        make_overdue(url, "after")
        until(lambda: status(url, "after") is Status.ARCHIVED)
        process.terminate()
        assert 0 == process.wait(30)
    told = (here / "err").read_text().splitlines()
    assert [] == [line for line in told if "Z sweep failed · " not in line]


def test_a_reader_who_leaves_ends_it_without_a_traceback(sqlite_url: str, here: Path) -> None:
    make_overdue(sqlite_url, "s")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "chatledger", "--db", sqlite_url, "timeouts", "watch", "--every", "1s"],
        cwd=here, env={**os.environ, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])},
        stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (1, b"") == (done.returncode, done.stderr)
    assert Status.ARCHIVED is status(sqlite_url, "s")


def test_a_term_that_comes_twice_ends_it_as_one_does(sqlite_url: str, here: Path) -> None:
    """As `timeout` sends it: to the process, and to its group."""
    make_overdue(sqlite_url, "s")
    watching = subprocess.Popen(
        [sys.executable, "-m", "chatledger", "--db", sqlite_url, "timeouts", "watch", "--every", "1d"],
        cwd=here, env={**os.environ, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert watching.stdout is not None
    watching.stdout.readline()  # it is at work
    for _ in range(50):
        if watching.poll() is None:
            watching.send_signal(signal.SIGTERM)
            time.sleep(0.005)
    _, errors = watching.communicate(timeout=30)
    assert (0, b"") == (watching.returncode, errors)


@pytest.mark.parametrize("backend", ["postgresql"])
def test_figures_are_served_to_this_machine(url: str, tmp_path: Path) -> None:
    make_overdue(url, "s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with watching(url, tmp_path, "--every", "1s", "--prometheus", str(port)):
        until(lambda: status(url, "s") is Status.ARCHIVED)
        until(lambda: b'chatledger_swept_sessions_total{action="archived",ledger="main"} 1.0' in fetched(port))


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_port_that_is_taken_is_said(url: str, spawn: Spawn) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = spawn("--db", url, "timeouts", "watch", "--prometheus", port)
    assert (1, f"chatledger: --prometheus: port {port} cannot be used: Address already in use\n") == (
        done.returncode,
        done.stderr.decode(),
    )


def fetched(port: int) -> bytes:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return bytes(answer.read())
    return b""
