"""Imports run down the layers only, and no modules import each other in a circle."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, imports, module_name, source_files

LAYERS = (
    "__main__",
    "cli",
    "interop mcp web",
    "telemetry report",
    "exchange adoption",
    "html",
    "chatledger workflows",
    "aio",
    "ledger",
    "backup integrity",
    "execution",
    "transactions",
    "replicas",
    "unit_of_work",
    "services",
    "orm_session",
    "database",
    "observers",
    "alembic_environment",
    "alembic_plugin",
    "migrate",
    "models",
    "revisions",
    "codecs",
    "schemas",
    "dialects",
    "full_text",
    "callbacks ids settings clock",
    "validation",
    "errors",
    "_lazy enums",
)
"""Top to bottom. A module may import what stands below its own line, and other modules of its own package."""
_LAYER = {name: number for number, line in enumerate(LAYERS) for name in line.split()}


def test_imports_run_down_the_layers_only() -> None:
    assert [] == [wrong for path in source_files() for wrong in _wrong_imports(path)]


def test_every_package_and_module_has_a_layer() -> None:
    assert _LAYER.keys() == {package_of(module_name(path)) for path in source_files()}


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_name(path): path for path in source_files()}
    graph = {
        name: {found for _, imported in _imports_of(path) if (found := _module(imported, modules)) not in (None, name)}
        for name, path in modules.items()
        # A package names what lies in it, and related tables name each other.
        if path.name != "__init__.py" and package_of(name) != "models"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from chatledger.errors import Busy", ["chatledger.errors.Busy"]),
        ("from chatledger import errors", ["chatledger.errors"]),
        ("from . import base", ["chatledger.dialects.base"]),
        ("from ..errors import Busy", ["chatledger.errors.Busy"]),
        ("def later():\n    import chatledger.cli", ["chatledger.cli"]),
        ("if TYPE_CHECKING:\n    import chatledger.cli", ["chatledger.cli"]),
    ],
)
def test_an_import_is_seen_wherever_it_stands(line: str, expected: list[str]) -> None:
    assert expected == [name for _, name in imports(line, "chatledger.dialects")]


def package_of(name: str) -> str:
    """`chatledger.models.message.Message` lies in `models`, `chatledger.Ledger` in `chatledger`."""
    _, _, inside = name.partition(".")
    found = inside.partition(".")[0]
    is_module = (PACKAGE / found).is_dir() or (PACKAGE / f"{found}.py").is_file()
    return found if found and is_module else "chatledger"


def _module(imported: str, modules: dict[str, Path]) -> str | None:
    """The module that an import is of: `a.b.name` may be a module or a name in `a.b`."""
    if imported in modules:
        return imported
    parent = imported.rpartition(".")[0]
    return parent if parent in modules and modules[parent].name != "__init__.py" else None


def _wrong_imports(path: Path) -> list[str]:
    name = module_name(path)
    own = package_of(name)
    return [
        f"{name}:{line} imports {imported}, but {package_of(imported)} does not lie below {own}"
        for line, imported in _imports_of(path)
        if package_of(imported) != own and _LAYER[package_of(imported)] <= _LAYER[own]
    ]


def _imports_of(path: Path) -> list[tuple[int, str]]:
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = imports(path.read_text("utf-8"), package)
    return [(line, imported) for line, imported in found if imported.split(".")[0] == "chatledger"]
