"""`alembic check` and autogenerate see what Alembic does not compare, in a checkout and beside an application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import CommandError
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine

from chatledger import Ledger, revisions
from chatledger.alembic_plugin import PLUGINS, include_object
from chatledger.migrate import HEAD
from chatledger.models import Base
from tests.migrations.application import application
from tests.migrations.commands import alembic
from tests.migrations.contents import contents, fill, names
from tests.support.raw import Raw

_INDEX = "uq_chatledger_messages_session_id_key"

# How the schema is damaged, on each database, and what is reported.
_DAMAGES: dict[str, dict[str, tuple[list[str], str]]] = {
    "sqlite": {
        "the condition of a partial index": (
            [
                f"DROP INDEX {_INDEX}",
                f"CREATE UNIQUE INDEX {_INDEX} ON chatledger_messages (session_id, key) WHERE key > ''",
            ],
            f"changed: index {_INDEX}",
        ),
        "no condition at all": (
            [f"DROP INDEX {_INDEX}", f"CREATE UNIQUE INDEX {_INDEX} ON chatledger_messages (session_id, key)"],
            f"changed: index {_INDEX}",
        ),
        "a missing trigger": (
            ["DROP TRIGGER chatledger_messages_count_delete"],
            "missing: trigger chatledger_messages_count_delete",
        ),
        "a changed trigger": (
            [
                "DROP TRIGGER chatledger_messages_count_insert",
                "CREATE TRIGGER chatledger_messages_count_insert AFTER INSERT ON chatledger_messages BEGIN SELECT 1; END",
            ],
            "changed: trigger chatledger_messages_count_insert",
        ),
        "a missing view": (["DROP VIEW chatledger_daily_usage"], "missing: view chatledger_daily_usage"),
        "a changed view": (
            ["DROP VIEW chatledger_daily_usage", "CREATE VIEW chatledger_daily_usage AS SELECT 1 AS day"],
            "changed: view chatledger_daily_usage",
        ),
        "no full text": (["DROP TABLE chatledger_messages_fts"], "missing: table chatledger_messages_fts"),
        "another full text": (
            [
                "DROP TABLE chatledger_messages_fts",
                "CREATE VIRTUAL TABLE chatledger_messages_fts USING fts5(content, content='chatledger_messages_text', content_rowid='message_id')",
            ],
            "changed: table chatledger_messages_fts",
        ),
    },
    "postgresql": {
        "the condition of a partial index": (
            [
                f"DROP INDEX {_INDEX}",
                f"CREATE UNIQUE INDEX {_INDEX} ON chatledger_messages (session_id, key) WHERE key > ''",
            ],
            f"changed: index {_INDEX}",
        ),
        "a missing trigger": (
            ["DROP TRIGGER chatledger_messages_count_delete ON chatledger_messages"],
            "missing: trigger chatledger_messages_count_delete",
        ),
        "a disabled trigger": (
            ["ALTER TABLE chatledger_messages DISABLE TRIGGER chatledger_messages_count_insert"],
            "changed: trigger chatledger_messages_count_insert",
        ),
        "a changed function": (
            [
                "CREATE OR REPLACE FUNCTION chatledger_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
            ],
            "changed: function chatledger_count_insert",
        ),
        "a missing view": (["DROP VIEW chatledger_daily_usage"], "missing: view chatledger_daily_usage"),
        "a changed view": (
            ["DROP VIEW chatledger_daily_usage", "CREATE VIEW chatledger_daily_usage AS SELECT 1 AS day"],
            "changed: view chatledger_daily_usage",
        ),
        "no full text": (
            ["ALTER TABLE chatledger_messages DROP COLUMN search_vector"],
            "missing: column chatledger_messages.search_vector",
        ),
        "another full text": (
            [
                "ALTER TABLE chatledger_messages DROP COLUMN search_vector",
                (
                    "ALTER TABLE chatledger_messages ADD COLUMN search_vector TSVECTOR"
                    " GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', content)) STORED"
                ),
            ],
            "changed: column chatledger_messages.search_vector",
        ),
    },
}
_DAMAGES_OF_EACH = [(backend, damage) for backend, damages in _DAMAGES.items() for damage in damages]


@pytest.fixture
def app(tmp_path: Path, url: str) -> Config:
    """An application with an Alembic of its own, migrated beside a ledger."""
    config = application(tmp_path / "app", url, plugin=True)
    command.upgrade(config, "head")
    return config


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(("backend", "damage"), _DAMAGES_OF_EACH)
def test_a_damaged_ledger_is_a_difference(engine: Engine, url: str, backend: str, damage: str) -> None:
    statements, expected = _DAMAGES[backend][damage]
    assert [] == _compared(engine)
    for statement in statements:
        Raw(url)(statement)
    assert ("chatledger", expected) in _compared(engine)


def test_check_in_a_checkout_reports_it(url: str, backend: str) -> None:
    statements, expected = _DAMAGES[backend]["the condition of a partial index"]
    for statement in statements:
        Raw(url)(statement)
    done = alembic("check", url=url)
    assert 0 != done.returncode
    assert f"('chatledger', '{expected}')" in done.stdout + done.stderr


def test_check_of_an_application_reports_it_beside_its_own_tables(app: Config, url: str, backend: str) -> None:
    command.check(app)
    statements, expected = _DAMAGES[backend]["a missing trigger"]
    for statement in statements:
        Raw(url)(statement)
    Raw(url)("DROP INDEX ix_orders_state")
    with pytest.raises(CommandError, match="New upgrade operations detected") as refused:
        command.check(app)
    assert expected in str(refused.value)
    assert "ix_orders_state" in str(refused.value)


def test_autogenerate_writes_a_comment_that_names_the_remedy(
    app: Config, url: str, backend: str, tmp_path: Path
) -> None:
    fill(url)
    rows = contents(url)
    for damage in ("a missing trigger", "a missing view"):
        for statement in _DAMAGES[backend][damage][0]:
            Raw(url)(statement)
    command.revision(app, "damage", autogenerate=True, rev_id="a2")
    written = next((tmp_path / "app" / "versions").glob("a2_*.py")).read_text("utf-8")
    assert "    # chatledger: missing: trigger chatledger_messages_count_delete\n" in written
    assert "    # chatledger: missing: view chatledger_daily_usage\n" in written
    assert "`chatledger db repair`" in written
    assert "op." not in written.partition("def upgrade")[2]
    # It can be run, in both directions, and changes nothing.
    command.upgrade(app, "head")
    command.downgrade(app, "a1")
    assert rows == contents(url)
    with closing(Ledger(url)) as ledger:
        ledger.repair()
    (tmp_path / "app" / "versions" / "a2_damage.py").unlink()
    command.check(app)


def test_the_environment_of_the_application_goes_on_with_its_own_context(
    app: Config, url: str, backend: str, tmp_path: Path
) -> None:
    """Comparing runs our revisions, while `alembic.context` and `alembic.op` are the application's."""
    env = tmp_path / "app" / "env.py"
    env.write_text(env.read_text("utf-8") + "\nassert context.get_context() is context_before\n", "utf-8")
    command.check(app)
    for statement in _DAMAGES[backend]["a missing trigger"][0]:
        Raw(url)(statement)
    with pytest.raises(CommandError):
        command.check(app)
    assert vars(op).get("_proxy") is None


def test_an_application_may_install_the_ledger_in_a_revision_of_its_own(
    tmp_path: Path, empty_url: str, backend: str
) -> None:
    config = application(tmp_path / "app", empty_url, plugin=True)
    (tmp_path / "app" / "versions" / "a2_ledger.py").write_text(_INSTALLS, "utf-8")
    command.upgrade(config, "head")
    with closing(Ledger(empty_url)) as ledger:
        assert HEAD == ledger.current()
        assert ledger.check()
    command.check(config)
    command.downgrade(config, "base")
    assert not [name for name in names(empty_url) if name.startswith("chatledger")]


_INSTALLS = """
from alembic import op
import sqlalchemy as sa

from chatledger import migrate

revision = "a2"
down_revision = "a1"


def upgrade():
    migrate.install(op.get_bind())
    op.create_table("bookings", sa.Column("id", sa.Integer, primary_key=True))
    op.drop_table("bookings")


def downgrade():
    migrate.uninstall(op.get_bind())
"""


@pytest.mark.parametrize("broken", ["nothing", "a failing revision"])
def test_the_outer_operations_are_put_back(
    engine: Engine, url: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatledger.migrate._expected", {})  # as in a process that has compared nothing yet
    if broken != "nothing":
        monkeypatch.setattr("chatledger.migrate.upgrade_on", _fails_inside_a_migration)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": include_object, "autogenerate_plugins": PLUGINS}
        )
        with Operations.context(context) as outer:
            try:
                compare_metadata(context, MetaData())
            except ZeroDivisionError:
                assert broken != "nothing"
            assert vars(op)["_proxy"] is outer
            assert op.get_context() is context


def _fails_inside_a_migration(connection: Any) -> None:
    def steps(scripts: Any, at: Any) -> Any:
        raise ZeroDivisionError

    revisions._run_on(connection, steps)


def test_no_ledger_and_an_old_one_are_reported_in_a_line(empty_url: str, url: str, new_url: Any) -> None:
    engine = create_engine(new_url())
    assert [("chatledger", "there is no ledger in the database: run `chatledger db upgrade`")] == _compared(engine)
    engine.dispose()
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0001")
    engine = create_engine(url)
    ((_, line),) = _compared(engine)
    assert "run `chatledger db upgrade`" in line
    engine.dispose()


def test_tables_with_our_prefix_that_an_application_declares_are_its_own(engine: Engine, url: str) -> None:
    metadata = MetaData()
    Table("chatledger_bookmarks", metadata, Column("id", Integer, primary_key=True))
    ((kind, table),) = _compared(engine, metadata)
    assert ("add_table", "chatledger_bookmarks") == (kind, table.name)
    metadata.create_all(engine)
    assert [] == _compared(engine, metadata)


def test_an_application_that_hands_in_our_metadata_too_creates_and_drops_nothing_of_ours(
    engine: Engine, url: str
) -> None:
    assert [] == _compared(engine, Base.metadata)
    Raw(url)("DROP TABLE chatledger_session_timeouts")
    assert {"chatledger"} == {difference[0] for difference in _compared(engine, Base.metadata)}


def _compared(engine: Engine, metadata: MetaData | None = None) -> list[Any]:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": include_object, "autogenerate_plugins": PLUGINS}
        )
        return list(compare_metadata(context, metadata or MetaData()))
