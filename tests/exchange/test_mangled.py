"""Exports in which anything may stand anywhere: a failure in the report, or sessions, and never another error."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import Format, import_file
from tests.exchange.exports import chatgpt, claude, node, oasst, reply, said, silent
from tests.exchange.files import write

RECORDS = {
    Format.CHATGPT: chatgpt(
        silent("root"), node("a", "root"), node("b", "a", role="tool", metadata={"model_slug": "m"}),
        node("b2", "a", content={"content_type": "thoughts", "thoughts": [{"summary": "s"}]}), node("x", "root"),
        current="b", conversation_id="c", default_model_slug="m",
    ),
    Format.CLAUDE: claude(
        said("a", "r"), said("b", "a", files=[{"f": 1}]), said("b2", "a"), current_leaf_message_uuid="b",
    ),
    Format.OASST: oasst(
        reply("p", reply("a", reply("c"), rank=1), reply("b", rank=0, created_date="x"), role="prompter"),
    ),
}  # fmt: skip
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "a",
    "b",
    "\0",
    "\ud800",
    "x" * 300,
    [],
    [None],
    {},
    {"a": 1},
    {"": []},
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or an index in it."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner] + [place for _, held in inner for place in places(held)]


@pytest.mark.parametrize("form", RECORDS)
def test_nothing_but_typed_failures(migrated_sqlite_url: str, tmp_path: Path, form: Format) -> None:
    rng = random.Random(form.value)
    records = []
    for _ in range(500):
        record = copy.deepcopy(RECORDS[form])
        for container, key in rng.sample(places(record), rng.randint(1, 3)):
            container[key] = copy.deepcopy(rng.choice(JUNK))
        records.append(json.dumps(record))
    path = write(tmp_path / "mangled.jsonl", *records)
    with Ledger(migrated_sqlite_url) as ledger:
        would = import_file(ledger, path, format=form, dry_run=True, on_conflict="new")
        done = import_file(ledger, path, format=form, on_conflict="new")
    assert 0 < done.conversations < len(records)
    assert len(records) == done.conversations + done.failed
    # Not the reasons: of two things that are wrong, another may be met first when a taken id is replaced.
    assert [failure.record for failure in would.failures] == [failure.record for failure in done.failures]
    assert (would.conversations, would.forks, would.messages) == (done.conversations, done.forks, done.messages)
