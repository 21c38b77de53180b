"""Neither an import nor an export grows with its file."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, NewMessage, Role
from chatledger.exchange import export_sessions, import_file
from tests.exchange.exports import chatgpt, node
from tests.support import sqlite

_BATCH = 1 << 20
"""Characters that are imported at a time here: less than usual, so that the file need not be large."""
_MOST = 17 << 20
"""Several batches, and below the 20 MB of the file."""
# Few words and many characters: memory is the subject, and each word takes time.
_TEXT = f"a long text: {'x' * 1_000} " * 10
_COUNT = 2_000


@pytest.mark.parametrize("shape", ["lines", "array", "records", "chatgpt"])
def test_memory_is_flat(sqlite_template: Path, tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatledger.exchange.batching.BATCH_CHARACTERS", _BATCH)
    path, turn = tmp_path / "file", {"role": "user", "content": _TEXT}
    nodes = [node(str(number), str(number - 1) if number else None, text=_TEXT) for number in range(20)]
    # Without an id each of them is a session of its own.
    record: Any = {"records": {"messages": [turn] * 20}, "chatgpt": chatgpt(*nodes, id=None)}.get(shape, turn)
    count = _COUNT if record is turn else _COUNT // 20
    with path.open("w") as out:
        out.write("[" if shape == "array" else "")
        for number in range(count):
            out.write(("," if shape == "array" and number else "") + json.dumps(record) + "\n")
        out.write("]" if shape == "array" else "")
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "chat.db")) as ledger, (tmp_path / "out").open("w") as out:
        tracemalloc.start()
        try:
            assert _COUNT == import_file(ledger, path).messages
            assert _COUNT == export_sessions(ledger, out, format="jsonl").messages
            assert _MOST > tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("form", ["html", "json", "markdown"])
def test_an_export_is_written_as_it_is_read(sqlite_template: Path, tmp_path: Path, form: str) -> None:
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "chat.db")) as ledger, (tmp_path / "out").open("w") as out:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            for _ in range(_COUNT // 200):
                uow.messages.append_many("s", [NewMessage(role=Role.USER, content=_TEXT)] * 200)
        tracemalloc.start()
        try:
            assert _COUNT == export_sessions(ledger, out, format=form).messages
            assert _MOST > tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
