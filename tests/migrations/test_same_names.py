"""An application whose tables have all the names that ours have without the prefix, and a ledger in its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

from chatledger import Ledger
from chatledger.dialects.base import TABLE_PREFIX
from chatledger.migrate import HEAD
from chatledger.models import Base
from chatledger.models.usage import VIEWS
from tests.migrations.application import application
from tests.migrations.commands import alembic, succeed
from tests.migrations.contents import TABLES, contents, fill, found, names
from tests.support.raw import Raw

NAMES = tuple(
    sorted(name.removeprefix(TABLE_PREFIX) for name in (*Base.metadata.tables, *VIEWS, "chatledger_messages_fts"))
)
"""Tables, views and full text of ours, under the names that an application would give them."""


@pytest.fixture
def app(tmp_path: Path, empty_url: str) -> Config:
    """An application that has migrated these tables with an Alembic of its own, and stored a row in each."""
    config = application(tmp_path / "app", empty_url, plugin=True, tables=NAMES)
    command.upgrade(config, "head")
    for name in NAMES:
        Raw(empty_url)(f"INSERT INTO {name} (id, state) VALUES (7, 'theirs')")
    return config


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    engine = create_engine(empty_url)
    yield engine
    engine.dispose()


def test_the_names_are_those_that_applications_have() -> None:
    assert {"sessions", "messages", "projects", "models", "annotations", "workflows", "audit_log"} <= set(NAMES)
    assert "session_metadata" in NAMES
    assert all(name.startswith(TABLE_PREFIX) for name in (*TABLES, *VIEWS))


def test_both_live_in_one_database(app: Config, engine: Engine, empty_url: str) -> None:
    with closing(Ledger(engine=engine, migrate="always")) as ledger:
        assert HEAD == ledger.current()
    fill(empty_url)
    assert all(found(empty_url).values())
    _theirs_is_untouched(empty_url)
    with closing(Ledger(empty_url)) as ledger:
        report = ledger.check()
        assert report, report
        ledger.run(lambda uow: uow.sessions.delete("first"))
    _theirs_is_untouched(empty_url)


def test_their_rows_do_not_count_in_ours(app: Config, empty_url: str) -> None:
    with closing(Ledger(empty_url, migrate="always")) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "Where to?")
    raw = Raw(empty_url)
    raw("INSERT INTO messages (id, state) VALUES (8, 'theirs')")
    raw("DELETE FROM sessions")
    with closing(Ledger(empty_url)) as ledger, ledger.read() as uow:
        assert 1 == uow.sessions.get("s").message_count
        assert 1 == len(uow.messages.history("s"))


def test_neither_alembic_sees_the_other(app: Config, engine: Engine, empty_url: str, tmp_path: Path) -> None:
    succeed("upgrade", "head", url=empty_url)
    fill(empty_url)
    rows = contents(empty_url)
    command.check(app)
    assert "No new upgrade operations detected" in succeed("check", url=empty_url)
    command.revision(app, "nothing", autogenerate=True, rev_id="a2")
    script = next((tmp_path / "app" / "versions").glob("a2_*.py")).read_text("utf-8")
    assert 2 == script.count("    pass")
    command.downgrade(app, "base")
    assert rows == contents(empty_url)
    command.upgrade(app, "head")
    with closing(Ledger(empty_url)) as ledger:
        ledger.downgrade("base", drop_content=True)
    left = {name for name in names(empty_url) if not name.startswith("sqlite_")}
    assert {*NAMES, "orders", "alembic_version", "chatledger_version"} == left
    assert 0 == alembic("upgrade", "head", url=empty_url).returncode


def test_create_all_and_drop_all_leave_theirs_alone(app: Config, engine: Engine, empty_url: str) -> None:
    Base.metadata.create_all(engine)
    fill(empty_url)
    Base.metadata.drop_all(engine)
    _theirs_is_untouched(empty_url)


def _theirs_is_untouched(url: str) -> None:
    raw = Raw(url)
    for name in NAMES:
        assert [(7, "theirs")] == [tuple(row) for row in raw(f"SELECT id, state FROM {name}")], name
