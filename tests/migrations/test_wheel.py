"""An installed wheel carries its revisions and templates, migrates its own databases and writes pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chatledger.migrate import HEAD, REVISIONS

_CHECKOUT = Path(__file__).parents[2]

_USE = """
import io
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import chatledger
from chatledger import Ledger
from chatledger.exchange import export_sessions
assert Path(chatledger.__file__).is_relative_to(sys.argv[1]), chatledger.__file__
with Ledger(sys.argv[2]) as ledger:
    ledger.run(lambda uow: uow.sessions.create("s"))
    ledger.downgrade("0001")
    ledger.upgrade()
    assert ledger.check()
    page = io.StringIO()
    export_sessions(ledger, page, format="html")
    assert "Untitled conversation</h1>" in page.getvalue()
    assert ":root {" in page.getvalue()
    print(ledger.current())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the build backend is needed to build without the network")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(_CHECKOUT)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return next(folder.glob("chatledger-*.whl"))


def test_the_wheel_holds_every_revision(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    versions = {path.name for path in (_CHECKOUT / "alembic" / "versions").glob("*.py")}
    assert {f"chatledger/_migrations/versions/{name}" for name in versions} <= held
    assert {"chatledger/_migrations/env.py", "chatledger/_migrations/script.py.mako", "chatledger/py.typed"} <= held
    assert len(REVISIONS) == len(versions)
    assert not [name for name in held if "__pycache__" in name or name.startswith(("tests", "alembic/"))]


def test_the_wheel_holds_everything_that_is_no_module(wheel: Path) -> None:
    """Templates, stylesheets, the script of pages, prices."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("chatledger/") and "/_migrations/" not in name}
    source = _CHECKOUT / "src"
    files = (path for path in (source / "chatledger").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    expected = {path.relative_to(source).as_posix() for path in files if path.suffix != ".py"}
    assert {"chatledger/html/style.css", "chatledger/html/browser.js", "chatledger/exchange/prices.json"} <= expected
    assert expected == {name for name in held if not name.endswith(".py")}


def test_the_description_that_an_index_shows_has_no_relative_links(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        description = archive.read(name).decode()
    assert "chatledger/blob/main/docs/quickstart.md)" in description
    assert [] == re.findall(r"\]\((?!https://|#)[^)]*\)", description)


def test_an_installed_wheel_migrates_a_database_and_writes_a_page(wheel: Path, empty_url: str, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    done = subprocess.run(
        # Elsewhere, so that nothing of the checkout is at hand.
        [sys.executable, "-P", "-c", _USE, str(installed), empty_url],
        cwd=tmp_path,
        # The copy in the wheel is not what coverage is asked about.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert HEAD == done.stdout.strip()
