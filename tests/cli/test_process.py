"""The command as a process: entry points, exit codes, pipes, encodings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chatledger
from chatledger import Ledger
from tests.cli.conftest import Spawn


def test_version(spawn: Spawn) -> None:
    done = spawn("--version")
    assert (0, f"chatledger {chatledger.__version__}\n", b"") == (done.returncode, done.stdout.decode(), done.stderr)


def test_help_names_the_commands_and_touches_nothing(spawn: Spawn, here: Path) -> None:
    done = spawn("--help")
    assert 0 == done.returncode
    names = (
        "init",
        "create",
        "list",
        "add",
        "history",
        "query",
        "search",
        "export",
        "import",
        "fork",
        "db",
        "demo",
        "timeouts",
        "snapshot",
        "archive",
        "purge",
        "erase-user",
        "audit",
        "cleanup",
    )
    assert [] == [name for name in names if f" {name} " not in done.stdout.decode()]
    assert [] == [name for name in ("chat-init", "chat-cleanup") if name in done.stdout.decode()]
    assert [] == list(here.iterdir())


def test_the_older_names(spawn: Spawn) -> None:
    entry = "from chatledger.cli import legacy; legacy."
    made = spawn("--title", "Trip", program=("-c", entry + "chat_init()"))
    assert 0 == made.returncode, made.stderr
    read = spawn(made.stdout.decode().strip(), program=("-c", entry + "chat_history()"))
    assert (0, b"Trip\n") == (read.returncode, read.stdout[:5])
    assert 0 == spawn("chat-history", made.stdout.decode().strip()).returncode
    cleaned = spawn("--max-age-hours", "24", program=("-c", entry + "chat_cleanup()"))
    assert (0, b"no session is due; expired 0 sessions\n") == (cleaned.returncode, cleaned.stdout)


def test_errors_are_one_line_and_no_traceback(spawn: Spawn) -> None:
    done = spawn("--db", "nowhere/chat.db", "create")
    assert (1, b"", 1) == (done.returncode, done.stdout, done.stderr.count(b"\n"))
    assert done.stderr.startswith(b"chatledger: ")
    assert 2 == spawn("nonsense").returncode
    assert 2 == spawn("history").returncode


def test_a_defect_tells_its_place_and_no_content(spawn: Spawn) -> None:
    broken = (
        "import chatledger.cli.sessions.sessions as sessions, chatledger.cli as cli\n"
        "def boom(*_, **__): raise RuntimeError('a secret')\n"
        "sessions.opened_for = boom\n"
        "cli.main(['list'])"
    )
    done = spawn(program=("-c", broken))
    assert 1 == done.returncode
    assert b"internal error in chatledger (RuntimeError in " in done.stderr
    assert (1, False) == (done.stderr.count(b"\n"), b"secret" in done.stderr)


def test_a_reader_who_leaves_is_no_error(spawn: Spawn, here: Path) -> None:
    with Ledger(str(here / "chatledger.db")) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": "x" * 1000}] * 500)
    for options in ([], ["--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = spawn("history", "s", *options, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert (b"", True) == (done.stderr, done.returncode in (0, 1))


def test_closed_streams_are_no_error(spawn: Spawn, here: Path) -> None:
    closing = "import os, sys; os.closerange(0, 3); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = spawn("-m", "chatledger", "create", "--id", "s", program=("-c", closing))
    assert 0 == done.returncode
    with Ledger(str(here / "chatledger.db")) as ledger, ledger.read() as uow:
        assert uow.sessions.find("s")


def test_a_full_disk_is_one_line(spawn: Spawn) -> None:
    with Path("/dev/full").open("wb") as full:
        done = spawn("--version", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (1, b"chatledger: No space left on device\n") == (done.returncode, done.stderr)


def test_a_terminal_without_the_characters_shows_escapes(spawn: Spawn, here: Path) -> None:
    with Ledger(str(here / "chatledger.db")) as ledger, ledger.begin() as uow:
        uow.sessions.create("s", title="Été 晚饭")
    done = spawn("list", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert 0 == done.returncode
    assert b"\\xc9t\\xe9 \\u665a\\u996d" in done.stdout


def test_an_interrupt_ends_with_130(here: Path) -> None:
    (here / "slow.py").write_text("import pathlib, time\npathlib.Path('up').touch()\ntime.sleep(30)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "chatledger", "query", "Why?", "--exec", f"{sys.executable} slow.py"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    limit = time.monotonic() + 30
    while not (here / "up").exists() and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (130, b"") == (process.returncode, output)
    assert b"interrupted; the question is kept as message 1" in errors
    assert b"Traceback" not in errors


def test_colours_stay_on_the_terminal(spawn: Spawn) -> None:
    spawn("create", "--id", "s")
    assert b"\x1b" not in spawn("list").stdout
    assert b"\x1b[1m" in spawn("list", env={"FORCE_COLOR": "1", "TERM": "xterm"}).stdout
    spawn("add", "s", "user", "Lisbon")
    plain = spawn("search", "lisbon", env={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}).stdout
    assert b"\x1b[1mLisbon" in plain  # bold, no colour
