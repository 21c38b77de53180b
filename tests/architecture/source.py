"""Reading our own source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PACKAGE = SRC / "chatledger"


def source_files() -> list[Path]:
    """Every module of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    assert files, f"no source under {PACKAGE}: the house rules would hold for nothing"
    return files


def module_name(path: Path) -> str:
    """`src/chatledger/models/__init__.py` is `chatledger.models`."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """The line and full name of all that is imported, in functions and under `if TYPE_CHECKING:` too.

    `from a import b` gives `a.b`, which may be a module or a name in one. `package` is what relative imports start from.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
