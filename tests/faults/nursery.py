"""A process that has imported everything and forks children that do one task each: quick to start, fit to be killed.

    with Nursery() as nursery:
        child = nursery.start("append", url, ["s"], 100)
        child.kill()                     # SIGKILL, at any moment
        crowd = [nursery.start(…) for _ in range(8)]
        results = [child.result() for child in crowd]

Nothing of the test's own process (threads, connections, coverage) is in the children.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CHECKOUT = Path(__file__).parents[2]


class ChildFailed(AssertionError):
    """A child's task raised; the text is its traceback."""


@dataclass
class Child:
    nursery: Nursery
    pid: int
    outcome: Path
    """What the task returned, as JSON."""
    side: Path
    """Lines that the task acknowledged, one `write` each: what a kill cannot take back."""

    def kill(self) -> None:
        self.nursery.kills += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.nursery.ask({"wait": self.pid, "seconds": 10})

    def result(self, within: float = 60) -> Any:
        """Wait for the task and give back what it returned. One that hangs is killed, with its own children."""
        if not self.nursery.ask({"wait": self.pid, "seconds": within})["ended"]:
            raise ChildFailed(f"still at its task after {within:g} s")
        answer = json.loads(self.outcome.read_text("utf-8")) if self.outcome.exists() else {"error": "no outcome"}
        if "error" in answer:
            raise ChildFailed(answer["error"])
        return answer["result"]

    def wait_for(self, more_than: int) -> None:
        """Wait until it has acknowledged more than so many, as long as the busiest machine may need."""
        give_up = time.monotonic() + 60
        while len(self.acknowledged()) <= more_than:
            assert time.monotonic() < give_up, f"only {len(self.acknowledged())} were acknowledged"
            time.sleep(0.01)

    def acknowledged(self) -> list[list[Any]]:
        """The whole lines of the side file."""
        if not self.side.exists():
            return []
        *lines, _ = self.side.read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines]


class Nursery:
    kills = 0

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="nursery-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=_CHECKOUT,
            env={name: value for name, value in os.environ.items() if "COV" not in name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._folder.cleanup()

    def start(self, task: str, *arguments: Any, at: float | None = None) -> Child:
        """Fork a child that runs a function of `tests.faults.tasks`, at a moment of `time.time()` or at once."""
        self._count += 1
        base = Path(self._folder.name) / str(self._count)
        outcome, side = base.with_suffix(".json"), base.with_suffix(".side")
        order = {"task": task, "arguments": arguments, "at": at, "outcome": str(outcome), "side": str(side)}
        return Child(self, self.ask(order)["pid"], outcome, side)

    def crowd(self, task: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        """Start one child for each tuple, all at the same moment, and give what each returned."""
        moment = time.time() + 0.1 + 0.02 * len(arguments)
        children = [self.start(task, *each, at=moment) for each in arguments]
        return [child.result() for child in children]

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def main() -> None:
    """The process itself: an order a line, an answer a line."""
    import tests.faults.tasks  # noqa: F401, PLC0415 - everything is imported once, before the first fork

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer: dict[str, Any] = {"ended": _ends(order["wait"], order["seconds"])}
        else:
            pid = os.fork()
            if pid == 0:
                _child(order)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _ends(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _child(order: dict[str, Any]) -> None:
    from tests.faults import tasks  # noqa: PLC0415

    outcome: dict[str, Any] = {"error": "left without a word"}
    try:
        os.setpgid(0, 0)
        if order["at"]:
            time.sleep(max(0.0, order["at"] - time.time()))
        side = os.open(order["side"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        outcome = {"result": getattr(tasks, order["task"])(side, *order["arguments"])}
    except BaseException:  # noqa: BLE001 - a child says what happened and ends
        outcome = {"error": traceback.format_exc()}
    finally:
        written = Path(order["outcome"] + ".new")
        written.write_text(json.dumps(outcome), "utf-8")
        written.rename(order["outcome"])
        os._exit(0)


if __name__ == "__main__":
    main()
