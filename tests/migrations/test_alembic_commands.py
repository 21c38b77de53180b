"""`alembic …` from the checkout's root, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sqlalchemy.engine import make_url

from chatledger import Ledger
from chatledger.migrate import HEAD
from tests.migrations.commands import alembic, succeed
from tests.migrations.contents import contents, fingerprint, names, revision
from tests.support.raw import Raw


def test_up_check_current_and_down_by_url(empty_url: str) -> None:
    succeed("upgrade", "head", url=empty_url)
    assert HEAD == revision(empty_url)
    assert "No new upgrade operations detected" in succeed("check", url=empty_url)
    assert f"{HEAD} (head)" in succeed("current", url=empty_url)
    succeed("downgrade", "base", url=empty_url)
    assert revision(empty_url) is None
    assert {"chatledger_version"} == {name for name in names(empty_url) if not name.startswith("sqlite_")}


def test_it_is_a_process_of_its_own_too(empty_url: str) -> None:
    succeed("upgrade", "head", environment=empty_url, process=True)
    assert f"{HEAD} (head)" in succeed("current", url=empty_url)


def test_the_database_may_be_named_by_the_environment(empty_url: str) -> None:
    succeed("upgrade", "+2", environment=empty_url)
    assert "0002" == revision(empty_url)
    # The command line wins over it.
    succeed("downgrade", "-1", url=empty_url, environment="postgresql://nobody@127.0.0.1:1/none")
    assert "0001" == revision(empty_url)


def test_what_alembic_migrated_is_what_a_ledger_migrates(url: str, new_url: Callable[[], str]) -> None:
    empty = new_url()
    succeed("upgrade", "head", environment=empty)
    assert fingerprint(url) == fingerprint(empty)
    with closing(Ledger(empty)) as ledger:
        assert ledger.check()
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_alembic_keeps_the_rows_that_a_ledger_wrote(filled_url: str) -> None:
    rows = contents(filled_url)
    succeed("downgrade", "0001", url=filled_url)
    succeed("upgrade", "head", url=filled_url)
    assert rows == contents(filled_url)


def test_check_reads_a_server_that_quotes_every_name(migrated_postgres_url: str) -> None:
    name = make_url(migrated_postgres_url).database
    Raw(migrated_postgres_url)(f'ALTER DATABASE "{name}" SET quote_all_identifiers = on')
    done = alembic("check", url=migrated_postgres_url)
    assert (0, False) == (done.returncode, "Did not recognize" in done.stderr)


def test_check_notices_a_column_that_the_models_do_not_have(url: str) -> None:
    Raw(url)("ALTER TABLE chatledger_sessions ADD COLUMN mood TEXT")
    done = alembic("check", url=url)
    assert 0 != done.returncode
    assert "mood" in done.stdout + done.stderr


def test_a_server_that_is_not_there_does_not_show_the_password() -> None:
    done = alembic("current", url="postgresql://ada:hunter2secret@127.0.0.1:1/none", process=True)
    assert 0 != done.returncode
    assert "hunter2secret" not in done.stdout + done.stderr
