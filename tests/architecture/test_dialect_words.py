"""One object per database answers every question about it; nobody else names a database."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from chatledger.dialects import dialect_of
from tests.architecture.source import PACKAGE, module_name, source_files

_WORD = re.compile(r"\b(sqlite|postgresql)\b")


def test_only_the_dialects_name_a_database() -> None:
    assert [] == [
        f"{module_name(path)}:{line} says {word}"
        for path in source_files()
        if not path.is_relative_to(PACKAGE / "dialects")
        for line, word in dialect_words(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_dialect_has_methods_and_no_capability_flags(name: str) -> None:
    dialect = dialect_of(name)
    parts = (dialect, dialect.full_text, dialect.integrity, dialect.maintenance)
    assert [] == [attribute for part in parts for attribute in dir(part) if isinstance(getattr(part, attribute), bool)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('if name == "sqlite": pass', ["sqlite"]),
        ("from sqlalchemy.dialects import postgresql", ["postgresql"]),
        ('url = f"sqlite:///{path}"', ["sqlite"]),
        ('def f():\n    "sqlite"\n    return "postgresql"', ["postgresql"]),
        ("x = 1\n'''What x is on\nsqlite.'''", []),
        ("x = 1  # on sqlite", []),
        ("from sqlite3 import connect", []),
    ],
)
def test_comments_and_docstrings_may_name_one(source: str, expected: list[str]) -> None:
    assert expected == [word for _, word in dialect_words(source)]


def dialect_words(source: str) -> Iterator[tuple[int, str]]:
    """The line and word of every database that the code names outside comments and docstrings."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_text = token.type == tokenize.STRING and token.start[0] in docstrings
        if not is_text and token.type != tokenize.COMMENT:
            yield from ((token.start[0], found) for found in _WORD.findall(token.string))
