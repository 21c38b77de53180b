"""The revisions: files in one line, frozen, known by name to the release."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from chatledger import migrate

_FOLDER = Path(__file__).parents[2] / "alembic"
_FILES = sorted((_FOLDER / "versions").glob("*.py"))


@pytest.fixture(scope="module")
def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_the_release_knows_every_revision_file_and_no_other(scripts: ScriptDirectory) -> None:
    assert list(migrate.REVISIONS) == [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert list(migrate.REVISIONS) == [path.name.partition("_")[0] for path in _FILES]


def test_the_history_is_one_line(scripts: ScriptDirectory) -> None:
    assert [migrate.HEAD] == scripts.get_heads()
    assert [migrate.REVISIONS[0]] == scripts.get_bases()
    parents = [script.down_revision for script in reversed(list(scripts.walk_revisions()))]
    assert [None, *migrate.REVISIONS[:-1]] == parents
    assert all(not script.dependencies and not script.branch_labels for script in scripts.walk_revisions())


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_revision_is_frozen_it_imports_nothing_of_ours(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"__future__", "alembic", "sqlalchemy", "collections", "typing"}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_revision_says_why_what_is_unsafe_and_what_its_downgrade_does(path: Path) -> None:
    argument = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert ["Why:", "Unsafe:", "Down:"] == [word for word in ("Why:", "Unsafe:", "Down:") if f"\n{word}" in argument]


def test_the_folder_does_not_shadow_the_library() -> None:
    assert not (_FOLDER / "__init__.py").exists()
    assert not (_FOLDER / "versions" / "__init__.py").exists()
