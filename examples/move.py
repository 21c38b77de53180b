"""All conversations from one database to another.

    python examples/move.py FROM TO         python examples/move.py example.db postgresql://ada@localhost/chats

What runs on a SQLite file runs on PostgreSQL by another URL; this takes the conversations along. Run again, it adds what
is new and leaves what is there: a session that has grown since stays as it was first copied.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from chatledger import Ledger
from chatledger.exchange import export_sessions, import_file


def main(source: str = "example.db", target: str = "example-copy.db") -> None:
    with Ledger(source) as old, Ledger(target) as new, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.jsonl"
        with path.open("w", encoding="utf-8") as out:
            exported = export_sessions(old, out, format="jsonl")
        report = import_file(new, path, on_conflict="skip")
        for failure in report.failures:
            print(failure, file=sys.stderr)
        print(f"{exported.sessions} sessions: {report.conversations} moved, {report.skipped} there already")
        print("the same in both:", counts(old) == counts(new))


def counts(ledger: Ledger) -> dict[str, tuple[int, int, object]]:
    """Messages, tokens and cost of every session."""
    found: dict[str, tuple[int, int, object]] = {}
    cursor = None
    with ledger.read() as uow:
        while True:
            page = uow.sessions.list(limit=1000, cursor=cursor)
            found |= {one.session_id: (one.message_count, one.total_tokens, one.total_cost) for one in page}
            cursor = page.next_cursor
            if cursor is None:
                return found


if __name__ == "__main__":
    main(*sys.argv[1:])
