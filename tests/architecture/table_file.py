"""`python -m tests.architecture.table_file` (`make schema`) writes `src/chatledger/models/tables.py` from the models."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import BigInteger, Column, Double, LargeBinary, Text

from chatledger.dialects import types
from chatledger.dialects.base import TABLE_PREFIX
from chatledger.models import Base
from tests.architecture.source import PACKAGE

FILE = PACKAGE / "models" / "tables.py"

_HEAD = '''"""The tables without the ORM, which the services use: a program that appends imports no mapper and maps no class.

Written from the models by `make schema`: do not edit. (No `from __future__ import annotations`: a table has that name.)
"""

from sqlalchemy import Table, Text

from chatledger import enums
from chatledger.dialects import types
from chatledger.models.lazy_tables import lazy_tables

'''
_PLAIN = {BigInteger: "types.Whole", Double: "types.Real", LargeBinary: "types.Binary", Text: "Text"}


def written() -> str:
    """The text of the file."""
    tables = sorted(
        (table for table in Base.metadata.tables.values() if table.name.startswith(TABLE_PREFIX)),
        key=lambda table: table.name,
    )
    names = [table.name.removeprefix(TABLE_PREFIX) for table in tables]
    lines = [*(f"{name}: Table" for name in names), "", "__getattr__ = lazy_tables(", "    __name__,", "    {"]
    for name, table in zip(names, tables, strict=True):
        key = "".join(f'"{column.name}", ' for column in table.primary_key.columns).rstrip(" ")
        lines.append(f'        "{name}": (')
        lines.append(f"            ({key if key.count(',') == 1 else key.rstrip(',')}),")
        lines.append("            {")
        lines += (f'                "{column.name}": {_spelled(column)},' for column in table.columns)
        lines += ["            },", "        ),"]
    return _HEAD + "\n".join([*lines, "    },", ")", ""])


def _spelled(column: Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, types.Word):
        return f"types.Word(enums.{kind.words.__name__})"
    return _PLAIN.get(type(kind), f"types.{type(kind).__name__}")


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")
    sys.stdout.write(f"{FILE.name}: written from the models\n")
