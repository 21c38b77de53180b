"""What a server, a database or a role sets does not change what a ledger keeps, or is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chatledger import InvalidInput, Ledger, ReadOnly, SchemaError, Settings, StandbyServer
from tests.support.postgres import Server, unique_name
from tests.support.sqlite import url_of

_CONTENT = "déjà vu ✓ 漢字 \\n 'x'"
_FIRST_DAY = datetime(1, 1, 2, tzinfo=UTC)


def _set(url: str, **settings: str) -> None:
    """Set something on the database, for every connection that begins from now on."""
    name = sql.Identifier(str(make_url(url).database))
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in settings.items():
            command = sql.SQL("ALTER DATABASE {} SET {} = {}")
            connection.execute(command.format(name, sql.Identifier(setting), sql.Literal(value)))


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_keep_every_text_is_refused_by_name(postgres_server: Server, encoding: str) -> None:
    name = unique_name("t")
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        command = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0")
        connection.execute(command.format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        url = make_url(postgres_server.url).set(database=name)
        with pytest.raises(SchemaError, match=f"{encoding}.*ENCODING 'UTF8'"):
            Ledger(url)
        engine = create_engine(url.set(drivername="postgresql+psycopg"), connect_args={"client_encoding": "utf8"})
        with pytest.raises(SchemaError, match=encoding):
            Ledger(engine=engine)
        engine.dispose()
    finally:
        postgres_server.drop(name)


@pytest.mark.parametrize("prepared", [True, False])
def test_settings_of_the_database_do_not_reach_a_ledger(migrated_postgres_url: str, prepared: bool) -> None:
    url = migrated_postgres_url
    _set(
        url, client_encoding="LATIN1", DateStyle="SQL, DMY", IntervalStyle="iso_8601", TimeZone="Asia/Tokyo",
        bytea_output="escape", extra_float_digits="-15", standard_conforming_strings="off", lc_messages="C",
        default_transaction_isolation="serializable",
    )  # fmt: skip
    with Ledger(url, prepared_statements=prepared) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s", idle_timeout=90, metadata={_CONTENT: 0.1})
            uow.messages.append("s", "user", _CONTENT, created_at=_FIRST_DAY, cost="0.1")
        with ledger.read() as uow:
            (message,) = uow.messages.history("s")
            assert (_CONTENT, _FIRST_DAY) == (message.content, message.created_at)
            assert ["s"] == [hit.session_id for hit in uow.search.messages("漢字").items]
        assert () == ledger.check().findings


def test_a_text_that_an_applications_connection_cannot_send_is_refused(migrated_postgres_url: str) -> None:
    _set(migrated_postgres_url, client_encoding="LATIN1")
    url = make_url(migrated_postgres_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with Ledger(engine=engine) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(InvalidInput, match="characters that the database cannot keep"):
            uow.messages.append("s", "user", "漢字")
    engine.dispose()


def test_quoted_identifiers_are_no_finding(postgres_url: str) -> None:
    _set(postgres_url, quote_all_identifiers="on")
    with Ledger(postgres_url) as ledger:  # made so, too
        assert () == ledger.check().findings


@pytest.mark.parametrize("first", ["read", "write"])
def test_a_server_that_takes_no_writes_says_so_and_its_connection_is_given_up(
    migrated_postgres_url: str, first: str
) -> None:
    """As a standby, or a primary that has become one: the same SQLSTATE in a transaction that may write."""
    url = migrated_postgres_url
    _set(url, default_transaction_read_only="on")
    with Ledger(url, settings=Settings(retry_timeout=0)) as ledger:
        if first == "read":
            with ledger.read() as uow:
                assert 0 == len(uow.sessions.list().items)
        with pytest.raises(StandbyServer, match="target_session_attrs") as caught, ledger.begin() as uow:
            uow.sessions.create("s")
        assert "25006" == caught.value.code
        with pytest.raises(StandbyServer):
            ledger.run(lambda uow: uow.sessions.create("s"))
        with pytest.raises(ReadOnly), ledger.read() as uow:  # the caller's mistake, and no fault of the server
            uow.sessions.create("s")
        health = ledger.health()
        assert (True, False, ["unwritable"]) == (
            health.reachable, health.writable, [problem.kind for problem in health.problems],
        )  # fmt: skip
    with Ledger(url) as ledger:
        ledger.current()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f'ALTER DATABASE "{make_url(url).database}" RESET default_transaction_read_only')
        # The connection that is refused is given up. Another one is made, to whichever server is the primary by now.
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_a_role_that_may_not_insert_is_unwritable(migrated_postgres_url: str) -> None:
    name = unique_name("u")
    role = sql.Identifier(name)
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
        try:
            with Ledger(make_url(migrated_postgres_url).set(username=name)) as ledger:
                assert ["unwritable"] == [problem.kind for problem in ledger.health().problems]
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_statements_are_prepared_or_not_as_the_url_or_the_argument_says(migrated_postgres_url: str) -> None:
    one = Settings(pool_size=1, max_overflow=0)

    def prepared(url: str, prepared_statements: bool | None = None) -> bool:
        with Ledger(url, settings=one, prepared_statements=prepared_statements) as ledger:
            ledger.run(lambda uow: uow.sessions.create(None))
            for _ in range(8):
                with ledger.read() as uow:
                    uow.sessions.list()
            with ledger._database.engine.connect() as connection:
                return bool(connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one())

    assert prepared(migrated_postgres_url)
    assert not prepared(migrated_postgres_url, prepared_statements=False)
    without = make_url(migrated_postgres_url).update_query_dict({"prepared_statements": "false"})
    assert not prepared(without.render_as_string(hide_password=False))


def test_a_file_has_no_statements_to_prepare_on_a_server(tmp_path: Path) -> None:
    Ledger(url_of(tmp_path / "chat.db"), prepared_statements=False).close()
    with pytest.raises(InvalidInput, match="prepared_statements"):
        Ledger(url_of(tmp_path / "chat.db"), prepared_statements="no")  # type: ignore[arg-type]
