"""Commands: their output, and what stops them together with their children."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatledger.execution import child_process
from chatledger.execution.child_process import ChildFailed, ChildTimedOut, run_program


def test_a_command_is_given_text_and_its_output_is_passed_on() -> None:
    printed = bytearray()
    run_program(["cat"], b"x" * 300_000, on_output=printed.extend, timeout=60)
    assert b"x" * 300_000 == printed


def test_a_command_need_not_read() -> None:
    run_program(["true"], b"x" * 300_000, on_output=lambda _: None)


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 3", "'sh' exited with 3"), ("kill -9 $$", "'sh' was ended by signal 9")],
)
def test_a_command_that_fails(script: str, reason: str) -> None:
    with pytest.raises(ChildFailed, match=reason):
        run_program(["sh", "-c", script], b"")


def test_a_command_that_cannot_be_run() -> None:
    with pytest.raises(ChildFailed, match="'no-such-command-here' cannot be run: No such file"):
        run_program(["no-such-command-here"], b"")


def test_output_has_a_limit_and_what_came_within_it_is_passed_on() -> None:
    printed = bytearray()
    with pytest.raises(ChildFailed, match="'yes' printed more than 1,000 bytes"):
        run_program(["yes"], b"", on_output=printed.extend, limit=1000)
    assert b"y\n" * 500 == printed


def test_a_timeout_stops_the_children_too(tmp_path: Path) -> None:
    script = f"sleep 61 & echo $! > {shlex.quote(str(tmp_path / 'child'))}; wait"
    with pytest.raises(ChildTimedOut):
        run_program(["sh", "-c", script], b"", on_output=lambda _: None, timeout=0.3)
    _expect_no_process(int((tmp_path / "child").read_text()))


def test_a_check_that_raises_stops_the_command(tmp_path: Path) -> None:
    def check() -> None:
        if (tmp_path / "child").exists():
            raise KeyboardInterrupt

    script = f"sleep 62 & echo $! > {tmp_path / 'new'}; mv {tmp_path / 'new'} {tmp_path / 'child'}; wait"
    with pytest.raises(KeyboardInterrupt):
        run_program(["sh", "-c", script], b"", check=check)
    _expect_no_process(int((tmp_path / "child").read_text()))


def test_a_command_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "_GRACE", 0.05)
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(63)"
    )

    def stop(_: bytes) -> None:
        raise ValueError

    began = time.monotonic()
    with pytest.raises(ValueError, match=r"^$"):
        run_program([sys.executable, "-c", script], b"", on_output=stop)
    assert time.monotonic() - began < 30


def test_a_command_that_a_thread_has_left_ends_with_the_process(tmp_path: Path) -> None:
    script = (
        "import sys, threading, time\n"
        "from chatledger.execution.child_process import run_program\n"
        "came = threading.Event()\n"
        "def show(piece):\n"
        "    print(piece.decode(), end='')\n"
        "    came.set()\n"
        "run = lambda: run_program(['sh', '-c', 'echo $$; exec sleep 64'], b'', on_output=show)\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "came.wait(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=60, check=True)
    _expect_no_process(int(done.stdout))


def _expect_no_process(number: int) -> None:
    """A process that was killed may be there until its new parent has asked for its exit code."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        found = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], stdout=subprocess.PIPE, check=False)
        if not found.stdout.strip() or found.stdout.startswith(b"Z"):
            return
        time.sleep(0.02)
    os.kill(number, signal.SIGKILL)
    pytest.fail("it is still running")
