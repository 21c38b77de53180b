"""A server that cannot be reached, or refuses, is `Unavailable` at once, without the password."""

from __future__ import annotations

import socket
import time
import traceback

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from chatledger import (
    AccessDenied,
    ChatledgerError,
    ConnectionFailed,
    InvalidInput,
    Ledger,
    ReadOnly,
    StandbyServer,
    Unavailable,
)
from chatledger.dialects import dialect_of
from tests.support.postgres import Server, unique_name

_PASSWORD = "hunter2-secret"


def _refused(url: str, kind: type[Unavailable] = ConnectionFailed, within: float = 15.0) -> Unavailable:
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        Ledger(url)
    assert time.monotonic() - began < within
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert _PASSWORD not in told
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("127.0.0.1:1/ledger", "no server answers"),
        ("no-such-host.invalid/ledger", "name of the host is not known"),
        ("/ledger?host=/no/such/folder", "no server answers"),
        ("127.0.0.1:99999/ledger", "no server answers"),
        ("/ledger?host=127.0.0.1:1&host=127.0.0.1:2", "no server answers"),
        ("127.0.0.1:1,127.0.0.1:2/ledger?target_session_attrs=read-write", "no server answers"),
    ],
)
def test_a_server_that_is_not_there(place: str, remedy: str, caplog: pytest.LogCaptureFixture) -> None:
    error = _refused(f"postgresql://ada:{_PASSWORD}@{place}", within=20.0)
    assert remedy in str(error)
    (record,) = [record for record in caplog.records if record.name == "chatledger"]
    # The driver's own words are logged: they name the host.
    reason = str(vars(record)["reason"])
    assert "the connection to the server failed" == record.message
    assert any(word in reason for word in ("host", "port", "socket")), reason
    assert _PASSWORD not in str(vars(record))


def test_a_port_where_something_else_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0)
        # Nobody accepts: the connection is made by the kernel and never answered.
        url = f"postgresql://ada:{_PASSWORD}@127.0.0.1:{port}/ledger?connect_timeout=2"
        assert "did not answer in time" in str(_refused(url, within=10.0))


def test_a_database_that_does_not_exist(postgres_server: Server) -> None:
    url = make_url(postgres_server.url).set(database="no_such_database", password=_PASSWORD)
    error = _refused(url.render_as_string(hide_password=False), AccessDenied)
    assert ("3D000", True) == (error.code, "create it first" in str(error))


def test_a_user_that_does_not_exist(postgres_server: Server) -> None:
    url = make_url(postgres_server.url).set(username="nobody_of_this_name", password=_PASSWORD)
    assert _refused(url.render_as_string(hide_password=False), AccessDenied).code in ("28000", "28P01")


def test_a_server_without_a_connection_left(postgres_server: Server) -> None:
    name = unique_name("u")
    role = sql.Identifier(name)
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 0").format(role))
        try:
            url = make_url(postgres_server.url).set(username=name)
            error = _refused(url.render_as_string(hide_password=False))
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
    assert ("53300", True) == (error.code, "pool_size" in str(error))


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        ("FATAL:  sorry, too many clients already", ConnectionFailed, "53300"),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            ConnectionFailed,
            "53300",
        ),
        ("FATAL:  the database system is starting up", ConnectionFailed, "57P03"),
        ("FATAL:  the database system is not yet accepting connections", ConnectionFailed, "57P03"),
        ('FATAL:  password authentication failed for user "ada"', AccessDenied, "28P01"),
        ("connection failed: fe_sendauth: no password supplied", AccessDenied, "28P01"),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "ada", database "x", no encryption',
            AccessDenied,
            "28000",
        ),
        ('FATAL:  Peer authentication failed for user "ada"', AccessDenied, "28000"),
        ('FATAL:  permission denied for database "chats"', AccessDenied, "42501"),
        ("server does not support SSL, but SSL was required", AccessDenied, None),
        ('root certificate file "/home/ada/.postgresql/root.crt" does not exist', AccessDenied, None),
        ("SSL SYSCALL error: EOF detected", ConnectionFailed, None),
        ("- h1: failed: session is read-only\n- h2: failed: Connection refused", StandbyServer, None),
        ("FATAL:  unsupported startup parameter: options", InvalidInput, "08P01"),
        ("ВАЖНО:  извините, уже слишком много клиентов", ConnectionFailed, None),
    ],
)
def test_what_a_refused_connection_says(words: str, kind: type[ChatledgerError], code: str | None) -> None:
    failure = dialect_of("postgresql").translate(psycopg.OperationalError(words))
    assert (kind, code) == (type(failure), failure.code)
    assert "ada" not in str(failure)


@pytest.mark.parametrize(
    ("option", "name"), [("connect_timeout=x", "connect_timeout"), ("sslmode=bar", "sslmode"), ("foo=1", "foo")]
)
def test_an_option_of_the_url_that_is_not_valid_is_named(option: str, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"url: {name} ") as caught:
        Ledger(f"postgresql://ada:{_PASSWORD}@127.0.0.1:1/x?{option}")
    assert ("url", True) == (caught.value.field, _PASSWORD not in repr(vars(caught.value)))


@pytest.mark.parametrize("failure", [psycopg.errors.DuplicatePreparedStatement, psycopg.errors.InvalidSqlStatementName])
def test_a_pooler_that_shares_prepared_statements_is_named_with_the_remedy(failure: type[psycopg.Error]) -> None:
    error = dialect_of("postgresql").translate(failure('prepared statement "_pg3_0" already exists'))
    assert isinstance(error, InvalidInput)
    assert ("prepared_statements", True) == (error.field, "prepared_statements=false" in str(error))


def test_a_user_who_may_not_create_tables_is_told_so(postgres_server: Server, postgres_url: str) -> None:
    name = unique_name("u")
    role = sql.Identifier(name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        url = make_url(postgres_url).set(username=name).render_as_string(hide_password=False)
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            pytest.skip("the server lets no other user in from here")
        with pytest.raises(ReadOnly) as caught:
            Ledger(url)
        assert "42501" == caught.value.code
        Ledger(postgres_url).close()
        with pytest.raises(ReadOnly):
            Ledger(url)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
