"""A ledger that an earlier release made is opened, upgraded, found whole, and used."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy.engine import make_url

from chatledger import Ledger, SchemaBehind
from chatledger.migrate import HEAD, REVISIONS
from tests.migrations import keeping
from tests.migrations.keeping import FOLDER, RELEASED, keep, postgresql_of, sqlite_of


@pytest.fixture(scope="session", params=RELEASED or (HEAD,))
def revision(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A released revision. Before the first release the head is kept for the time of the test, to prove the machinery."""
    with pytest.MonkeyPatch.context() as patch:
        if not RELEASED:
            patch.setattr(keeping, "FOLDER", tmp_path_factory.mktemp("kept"))
            keep(HEAD)
        yield str(request.param)


@pytest.fixture
def kept_url(revision: str, empty_url: str) -> str:
    """A database as the release left it."""
    url = make_url(empty_url)
    if url.get_backend_name() == "sqlite":
        with gzip.open(sqlite_of(revision)) as packed, open(str(url.database), "wb") as plain:  # noqa: PTH123 - a path
            plain.write(packed.read())
    else:
        script = postgresql_of(revision).read_text("utf-8")
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            connection.execute(script.encode())
    return empty_url


def test_each_release_has_kept_a_ledger_of_both_databases() -> None:
    assert set(RELEASED) <= set(REVISIONS)
    assert sorted(f"{name}{end}" for name in RELEASED for end in (".db.gz", ".sql")) == sorted(
        path.name for path in FOLDER.glob("*")
    )


def test_it_is_upgraded_found_whole_and_used(kept_url: str, revision: str) -> None:
    if revision != HEAD:
        with pytest.raises(SchemaBehind, match="db upgrade"):
            Ledger(kept_url)
    with closing(Ledger(kept_url, migrate="always")) as ledger:
        assert HEAD == ledger.current()
        report = ledger.check()
        assert report.ok, report.findings
        with ledger.read() as uow:
            trip = uow.sessions.get("trip")
            first, second = uow.messages.history("trip")
            assert ("ada", "travel", "m-1", {"a": 1e16}, {"tags": ["sea"]}) == (
                trip.user_id, trip.project_id, trip.model_id, trip.context, trip.metadata,
            )  # fmt: skip
            assert (2, 11, 2) == (trip.message_count, trip.total_tokens, trip.last_sequence)
            assert ("Where to in May? Zürich?", "k", 8) == (first.content, first.key, first.input_tokens)
            assert ([1.0, None], 3, "0.000000001") == (second.payload, second.output_tokens, f"{second.cost:f}")
            assert [1] == [hit.sequence_number for hit in uow.search.messages("zurich")]
            assert [2] == [hit.sequence_number for hit in uow.search.messages("harbours")]
            assert ["session.deleted"] == [entry.action for entry in uow.audit.list()]
        # The limits that it has had all the while are long over.
        assert 1 == ledger.sweep().archived
        with ledger.begin() as uow:
            uow.sessions.reopen("trip")
            assert 3 == uow.messages.append("trip", "user", "Thanks").sequence_number
        assert ledger.check().ok
