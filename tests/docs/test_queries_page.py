"""Every query of the page runs on both databases as it stands and finds something, and so does the call beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect

from chatledger import Ledger
from chatledger.models.usage import VIEWS
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.queries_data import fill
from tests.support.raw import Raw

PAGE = ROOT / "docs" / "queries.md"
BLOCKS = blocks(PAGE)
QUERIES = [block for block in BLOCKS if block.language == "sql"]
CALLS = [block for block in BLOCKS if block.language == "python"][1:]
"""The lines of Python. The first block only opens the ledger that they use."""


@pytest.fixture
def filled(url: str) -> Iterator[Ledger]:
    fill(url)
    with Ledger(url) as ledger:
        yield ledger


def test_there_are_more_than_a_hundred_queries_and_eight_for_each_subject() -> None:
    assert len(QUERIES) > 100
    assert len({" ".join(block.text.split()) for block in QUERIES}) == len(QUERIES)
    sections = PAGE.read_text("utf-8").split("\n## ")[3:]
    assert [] == [section.partition("\n")[0] for section in sections if section.count("\n```sql\n") < 8]


def test_every_query_and_every_call_finds_something(filled: Ledger, url: str) -> None:
    """From top to bottom: what a call creates is found by the query below it."""
    raw = Raw(url)
    page = [block for block in BLOCKS if block in QUERIES or block in CALLS]
    assert [] == [str(block) for block in page if not _found(filled, raw, block)]


def test_every_call_is_one_line() -> None:
    assert [] == [str(block) for block in CALLS if "\n" in block.text]


def test_every_column_of_a_view_is_explained(url: str) -> None:
    page = PAGE.read_text("utf-8")
    inspector = inspect(Raw(url).engine)
    assert set(inspector.get_view_names()) >= VIEWS
    columns = {column["name"] for view in VIEWS for column in inspector.get_columns(view)}
    assert [] == sorted(name for name in columns | VIEWS if f"`{name}`" not in page)


def _found(ledger: Ledger, raw: Raw, block: Block) -> bool:
    if block.language == "sql":
        return len(raw(block.text.replace(":", "\\:"))) > 0
    names: dict[str, Any] = {"ledger": ledger, "UTC": UTC, "datetime": datetime, "timedelta": timedelta}
    if block.text.startswith("ledger."):
        return bool(eval(block.text, names))
    with ledger.begin() as uow:
        return bool(eval(block.text, names | {"uow": uow}))
