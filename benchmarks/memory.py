"""How much memory grows while many messages are walked through, exported, imported, copied and adopted.

Each is done in a process of its own, first with a thousand messages and then with many: what the peak has grown by is
what the many cost.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench import Bench
from benchmarks.conversation import Conversation
from benchmarks.figures import Bar, Figure
from benchmarks.growth import LARGE, filled
from benchmarks.starting import environment

_FEW = 1000
_PORTION = 1000

# The high-water mark of the address space where the system tells it: ru_maxrss may begin at the parent's size.
_PEAK = """
import re, resource, sys
from pathlib import Path

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

few, many = sys.argv[1:3], sys.argv[3:5]
"""
_PROGRAMS = {
    "iterate": """
from chatledger import Ledger

def act(url, _):
    with Ledger(url) as ledger, ledger.read() as uow:
        for session_id in [one.session_id for one in uow.sessions.list(limit=100)]:
            for _ in uow.messages.iterate(session_id):
                pass
""",
    "export": """
from chatledger import Ledger
from chatledger.exchange import export_sessions

def act(url, path):
    with Ledger(url) as ledger, open(path, "w", encoding="utf-8") as out:
        export_sessions(ledger, out, format="jsonl")
""",
    "import": """
from chatledger import Ledger
from chatledger.exchange import import_file

def act(path, url):
    with Ledger(url) as ledger:
        import_file(ledger, path)
""",
    "db copy": """
from chatledger import copy_ledger

def act(url, target):
    copy_ledger(url, target)
""",
    "adopt": """
from chatledger import Ledger
from chatledger.adoption import adopt

def act(path, url):
    with Ledger(url) as ledger:
        adopt(ledger, path)
""",
}


def memory(bench: Bench) -> Iterator[Figure]:
    """A hundred thousand messages; a million in a large run."""
    size = LARGE if bench.large else min(bench.scale.long, LARGE)
    few, many = (filled(bench, count, session=count // 10) for count in (_FEW, size))
    new = bench.database.fresh
    with TemporaryDirectory(prefix="chatledger-bench-") as folder:
        files = [str(Path(folder) / name) for name in ("few.jsonl", "many.jsonl")]
        old = [str(Path(folder) / name) for name in ("few.db", "many.db")]
        pairs: dict[str, Callable[[], list[str]]] = {
            "iterate": lambda: [few, "", many, ""],
            "export": lambda: [few, files[0], many, files[1]],
            # What the export has written.
            "import": lambda: [files[0], new(), files[1], new()],
            "db copy": lambda: [few, new(), many, new()],
            "adopt": lambda: [old[0], new(), old[1], new()],
        }
        for name, arguments in pairs.items():
            if name == "adopt":
                for path, count in zip(old, (_FEW, size), strict=True):
                    _write_sessions_of_agents(path, count)
            before, after = _grown(_PROGRAMS[name], arguments())
            yield Figure(
                case=f"memory, {name} {size:,}",
                database=bench.database.name,
                against="at the start",
                base=before,
                ours=after - before,
                unit="MiB",
                ratio=None,
                bar=Bar(64, absolute=True),
            )


def _grown(program: str, arguments: list[str]) -> tuple[float, float]:
    """The peak after few messages and after many, in MiB."""
    whole = f"{_PEAK}{program}\nact(*few)\nbefore = peak()\nact(*many)\nprint(before, peak())"
    command = [sys.executable, "-c", whole, *arguments]
    answer = subprocess.run(command, check=True, env=environment(), capture_output=True, text=True).stdout
    before, after = map(float, answer.split())
    return before, after


def _write_sessions_of_agents(path: str, count: int) -> None:
    """A database of the OpenAI Agents SDK with so many messages, in ten sessions."""
    conversation = Conversation(seed=6)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE agent_sessions (
                session_id TEXT PRIMARY KEY,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            );
            CREATE TABLE agent_messages (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL,
                message_data TEXT NOT NULL,
                created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
                FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id) ON DELETE CASCADE
            );
            CREATE INDEX idx_agent_messages_session_id ON agent_messages (session_id, id);
            """
        )
        connection.executemany("INSERT INTO agent_sessions (session_id) VALUES (?)", [(f"s{n}",) for n in range(10)])
        for start in range(0, count, _PORTION):
            rows = [
                (f"s{(start + n) * 10 // count}", json.dumps({"role": role, "content": turn.given["content"]}))
                for n, turn in enumerate(conversation.turns(min(_PORTION, count - start)))
                if (role := "user" if turn.given["role"] == "user" else "assistant")
            ]
            connection.executemany("INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)", rows)
