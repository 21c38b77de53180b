"""The page of the design explains every column, and names what was decided."""

from __future__ import annotations

import pytest

from chatledger.models import Base
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "design.md").read_text("utf-8")


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_column_is_explained(table: str) -> None:
    _, heading, rest = PAGE.partition(f"### {table}\n")
    assert heading, f"docs/design.md has no section on {table}"
    section = rest.partition("\n### ")[0]
    assert [] == [column.name for column in Base.metadata.tables[table].columns if f"`{column.name}`" not in section]
