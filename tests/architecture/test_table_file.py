"""The services' tables say what the models say."""

from __future__ import annotations

import pytest
from sqlalchemy import Table
from sqlalchemy.engine import make_url

from chatledger.dialects import types
from chatledger.dialects.base import TABLE_PREFIX
from chatledger.models import Base, tables
from tests.architecture import table_file

_DIALECTS = [make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql")]


def test_the_file_is_the_one_that_make_schema_writes() -> None:
    assert table_file.FILE.read_text("utf-8") == table_file.written(), "run `make schema`"


@pytest.mark.parametrize("name", [name for name in Base.metadata.tables if name.startswith(TABLE_PREFIX)])
def test_a_table_has_the_columns_of_its_model(name: str) -> None:
    table = getattr(tables, name.removeprefix(TABLE_PREFIX))
    assert _columns(table) == _columns(Base.metadata.tables[name])
    assert [column.name for column in table.primary_key] == [
        column.name for column in Base.metadata.tables[name].primary_key
    ]
    assert table is getattr(tables, name.removeprefix(TABLE_PREFIX))


def _columns(table: Table) -> dict[str, tuple[object, ...]]:
    return {
        column.name: (
            type(column.type).__name__,
            *(column.type.compile(dialect) for dialect in _DIALECTS),
            column.type.words if isinstance(column.type, types.Word) else None,
        )
        for column in table.columns
    }
