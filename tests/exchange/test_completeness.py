"""Whatever stands in a published export stands in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import import_file
from chatledger.exchange.readers.times import certain_time
from tests.exchange.files import messages_of

# What the formats say by words of their own: speakers, and that a text is text.
_WORDS = {"human", "prompter", "text"}


@pytest.mark.parametrize(
    "name",
    [
        "chatgpt_export/native-conversation-v1.json",
        "chatgpt_export/example-conversation.json",
        "claude_export/claude-ai-sample-00.json",
        "oasst/en_100_tree.first40.jsonl",
    ],
)
def test_nothing_of_an_export_is_dropped(migrated_sqlite_url: str, shared_data: Path, name: str) -> None:
    path = shared_data / name
    text = path.read_text("utf-8")
    told = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
    with Ledger(migrated_sqlite_url) as ledger:
        report = import_file(ledger, path)
        with ledger.read() as uow:
            sessions = [uow.sessions.get(session_id).model_dump() for session_id in report.session_ids]
        messages = [message.model_dump() for name in report.session_ids for message in messages_of(ledger, name)]
    kept = set(scalars([sessions, messages]))
    missing = {value for value in scalars(told) if value is not None and value not in kept}
    assert set() == {value for value in missing if (certain_time(value) or value) not in kept} - _WORDS


def scalars(value: Any) -> Iterator[Any]:
    """Every value in a JSON document, and every name in it that may be an id."""
    if isinstance(value, dict):
        for key, held in value.items():
            if "-" in key:
                yield key
            yield from scalars(held)
    elif isinstance(value, list):
        for held in value:
            yield from scalars(held)
    else:
        yield value
