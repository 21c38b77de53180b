"""A ledger lives in the database of an application that has an Alembic of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

from chatledger import Ledger
from chatledger.migrate import HEAD
from tests.migrations.application import application
from tests.migrations.contents import contents, fill, names
from tests.support.raw import Raw


@pytest.fixture
def app(tmp_path: Path, empty_url: str) -> Config:
    """An application that has migrated its own database and stored an order."""
    config = application(tmp_path / "app", empty_url)
    command.upgrade(config, "head")
    Raw(empty_url)("INSERT INTO orders (id, state) VALUES (7, 'open')")
    return config


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    engine = create_engine(empty_url)
    yield engine
    engine.dispose()


def test_a_ledger_installs_itself_beside_the_tables_of_an_application(
    app: Config, engine: Engine, empty_url: str
) -> None:
    with closing(Ledger(engine=engine, migrate="never")) as ledger:
        ledger.upgrade()
        assert HEAD == ledger.current()
        assert ledger.check()
    raw = Raw(empty_url)
    assert [("a1",)] == [tuple(row) for row in raw("SELECT version_num FROM alembic_version")]
    assert [(7, "open")] == [tuple(row) for row in raw("SELECT id, state FROM orders")]
    assert {"orders", "alembic_version", "chatledger_version", "chatledger_sessions", "chatledger_messages"} <= names(
        empty_url
    )
    with closing(Ledger(engine=engine)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_migrate_always_installs_beside_an_application_too(app: Config, engine: Engine, empty_url: str) -> None:
    with closing(Ledger(engine=engine, migrate="always")) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    assert 1 == Raw(empty_url).count("orders")


def test_a_ledger_that_moves_in_leaves_the_mark_of_the_file_to_the_application(app: Config, empty_url: str) -> None:
    if not empty_url.startswith("sqlite"):
        pytest.skip("only files carry a mark")
    raw = Raw(empty_url)
    raw("PRAGMA application_id = 77")
    with closing(Ledger(empty_url, migrate="always")):
        pass
    assert 77 == raw("PRAGMA application_id")[0][0]


def test_the_autogenerate_of_an_application_does_not_drop_our_tables(
    app: Config, engine: Engine, empty_url: str, tmp_path: Path
) -> None:
    with closing(Ledger(engine=engine, migrate="always")):
        pass
    fill(empty_url)
    rows = contents(empty_url)
    command.check(app)  # raises where autogenerate would do something
    command.revision(app, "nothing", autogenerate=True, rev_id="a2")
    script = next((tmp_path / "app" / "versions").glob("a2_*.py")).read_text("utf-8")
    assert 2 == script.count("    pass")
    command.upgrade(app, "head")
    assert rows == contents(empty_url)


def test_without_it_autogenerate_would_drop_them(app: Config, engine: Engine, tmp_path: Path) -> None:
    with closing(Ledger(engine=engine, migrate="always")):
        pass
    app.attributes["beside"] = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # types of ours that a stranger cannot reflect
        command.revision(app, "disaster", autogenerate=True, rev_id="a2")
    script = next((tmp_path / "app" / "versions").glob("a2_*.py")).read_text("utf-8")
    assert "op.drop_table('chatledger_messages')" in script


def test_the_two_histories_go_up_and_down_without_each_other(app: Config, engine: Engine, empty_url: str) -> None:
    with closing(Ledger(engine=engine, migrate="always")):
        pass
    fill(empty_url)
    rows = contents(empty_url)
    command.downgrade(app, "base")
    assert rows == contents(empty_url)
    command.upgrade(app, "head")
    with closing(Ledger(engine=engine)) as ledger:
        ledger.downgrade("base", drop_content=True)
    assert {"orders", "alembic_version", "chatledger_version"} == {
        name for name in names(empty_url) if not name.startswith("sqlite_")
    }
    command.check(app)


def test_an_engine_of_an_application_is_left_as_it_was_by_a_migration(app: Config, engine: Engine) -> None:
    with closing(Ledger(engine=engine, migrate="never")) as ledger:
        ledger.upgrade()
        ledger.downgrade("0001")
        ledger.upgrade()
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert 0 == connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one()
            assert 0 == connection.exec_driver_sql("PRAGMA query_only").scalar_one()
        else:
            assert "off" == connection.exec_driver_sql("SHOW transaction_read_only").scalar_one()
