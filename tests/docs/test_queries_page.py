"""Every ready query runs on both databases as it stands, and finds something; every column of a view is explained."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect

from chatledger import Ledger
from chatledger.models.usage import VIEWS
from tests.docs.pages import ROOT, Block, blocks
from tests.support.raw import Raw

PAGE = ROOT / "docs" / "queries.md"
QUERIES = [block for block in blocks(PAGE) if block.language == "sql"]


@pytest.fixture
def filled(url: str) -> Raw:
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        for number in range(4):
            session = uow.sessions.create(
                user_id=f"u{number % 2}", project_id="p", model_id=f"m{number % 2}"
            ).session_id
            for turn in range(6):
                uow.messages.append(
                    session, "assistant" if turn % 2 else "user", "words", input_tokens=turn, output_tokens=2,
                    cached_tokens=0, duration_ms=turn * 7 + 1, cost="0.01" if turn < 5 else None,
                    outcome=(None, "complete", "error", "interrupted")[turn % 4],
                    created_at=datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=7 * turn),
                )  # fmt: skip
    raw = Raw(url)
    raw("UPDATE chatledger_models SET context_window = 100")
    return raw


def test_there_are_thirty_queries_at_least() -> None:
    assert len(QUERIES) >= 30
    assert len({block.text for block in QUERIES}) == len(QUERIES)


def test_every_query_finds_something(filled: Raw) -> None:
    assert [] == [str(block) for block in QUERIES if not _found(filled, block)]


def test_every_column_of_a_view_is_explained(filled: Raw) -> None:
    page = PAGE.read_text("utf-8")
    inspector = inspect(filled.engine)
    assert set(inspector.get_view_names()) >= VIEWS
    columns = {column["name"] for view in VIEWS for column in inspector.get_columns(view)}
    assert [] == sorted(name for name in columns | VIEWS if f"`{name}`" not in page)


def _found(raw: Raw, block: Block) -> int:
    return len(raw(block.text.replace(":", "\\:")))
