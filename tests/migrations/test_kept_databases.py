"""Ledgers that earlier releases left at each of their revisions are upgraded, found whole, and used.

A revision that no release has frozen yet is kept for the time of the tests, so that they hold today what a release keeps.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from sqlalchemy.engine import make_url

import chatledger
from chatledger import Ledger, SchemaBehind
from chatledger.migrate import HEAD, REVISIONS
from tests.migrations import kept_databases
from tests.migrations.contents import TABLES, common, contents, fingerprint, found, revision
from tests.support.postgres import Server

_CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
_NOT_KEPT = [name for name in REVISIONS if name not in kept_databases.index()]


class Fetch(Protocol):
    """`fetch(revision, empty_url)` fills an empty database with the kept ledger of a revision."""

    def __call__(self, name: str, empty_url: str) -> None: ...


@pytest.fixture(scope="session")
def kept_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    kept_databases.keep_sqlite(_NOT_KEPT, folder)
    return folder


@pytest.fixture(scope="session")
def kept_scripts(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    kept_databases.keep_postgresql(_NOT_KEPT, folder, postgres_server)
    return folder


@pytest.fixture
def fetch(backend: str, request: pytest.FixtureRequest) -> Fetch:
    def fill(name: str, empty_url: str) -> None:
        fixture = "kept_files" if backend == "sqlite" else "kept_scripts"
        folder = request.getfixturevalue(fixture) if name in _NOT_KEPT else kept_databases.FOLDER
        plain = gzip.decompress(kept_databases.file_of(name, backend, folder).read_bytes())
        url = make_url(empty_url)
        if backend == "sqlite":
            Path(str(url.database)).write_bytes(plain)
        else:
            server = url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(plain)

    return fill


@pytest.fixture(params=REVISIONS)
def kept(request: pytest.FixtureRequest, fetch: Fetch, empty_url: str) -> tuple[str, str]:
    """A revision, and the URL of the ledger that was kept at it."""
    fetch(request.param, empty_url)
    return str(request.param), empty_url


def test_the_files_are_those_of_the_index_which_begins_with_the_first_revision() -> None:
    index = kept_databases.index()
    assert REVISIONS[: len(index)] == tuple(index)
    files = {kept_databases.file_of(name, backend).name for name in index for backend in kept_databases.ENDS}
    folder = kept_databases.FOLDER
    assert files == ({path.name for path in folder.iterdir()} - {"index.json"} if folder.exists() else set())


def test_a_release_keeps_each_of_its_revisions() -> None:
    """Releases have a date in the changelog. `python -m tests.migrations.kept_databases` adds what is missing."""
    headings = re.findall(r"^## \[(.+?)\] - (\S+)$", _CHANGELOG.read_text("utf-8"), re.MULTILINE)
    released = [version for version, date in headings if date != "unreleased"]
    kept_by = set(kept_databases.index().values())
    assert kept_by <= {*released, chatledger.__version__}
    if released:
        assert kept_by
    if headings[0][0] in released:
        assert [] == _NOT_KEPT


def test_it_is_upgraded_and_every_row_is_found_whole(kept: tuple[str, str], new_url: Callable[[], str]) -> None:
    """A fresh ledger has the same schema: a revision that was changed after its release shows here."""
    (name, kept_url), fresh = kept, new_url()
    assert name == revision(kept_url)
    before = contents(kept_url)
    assert [] == [table for table in TABLES if table in before and not before[table]]
    if name != HEAD:
        with pytest.raises(SchemaBehind, match="db upgrade"):
            Ledger(kept_url)
    with closing(Ledger(kept_url, migrate="always")) as ledger:
        assert HEAD == ledger.current()
        assert before == common(contents(kept_url), before)
        Ledger(fresh).close()
        assert fingerprint(fresh) == fingerprint(kept_url)
        report = ledger.check()
        assert report.ok, report.findings
    hits = found(kept_url)
    assert [] == [query for query, of_it in hits.items() if not of_it]


def test_it_is_used_after_its_upgrade(kept: tuple[str, str]) -> None:
    _, kept_url = kept
    with closing(Ledger(kept_url, migrate="always")) as ledger:
        with ledger.begin() as uow:
            # Three were taken away; their numbers are not handed out again.
            assert 31 == uow.messages.append("first", "user", "Thanks, an unusual walrus").sequence_number
            assert 28 == uow.sessions.get("first").message_count
        with ledger.begin() as uow:
            assert [("first", 31)] == [(hit.session_id, hit.sequence_number) for hit in uow.search.messages("walrus")]
            uow.messages.delete("first", 31)
            assert uow.snapshots.take("first", "manual").message_count == 27
        ledger.sweep()
        assert ledger.erase_user("ada", include_held=True).found
        assert ledger.check()
