"""A server that cannot be reached, or refuses, is `Unavailable` at once, without the password."""

from __future__ import annotations

import socket
import time
import traceback

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from chatledger import Ledger, ReadOnly, Unavailable
from tests.support.postgres import Server, unique_name

_PASSWORD = "hunter2-secret"


def _refused(url: str, within: float = 5.0) -> Unavailable:
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        Ledger(url)
    assert time.monotonic() - began < within
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert _PASSWORD not in told
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1:1/ledger",
        "no-such-host.invalid/ledger",
        "/ledger?host=/no/such/folder",
        "127.0.0.1:99999/ledger",
        "/ledger?host=127.0.0.1:1&host=127.0.0.1:2",
    ],
)
def test_a_server_that_is_not_there(place: str) -> None:
    _refused(f"postgresql://ada:{_PASSWORD}@{place}", within=20.0)


def test_a_port_where_something_else_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0)
        # Nobody accepts: the connection is made by the kernel and never answered.
        url = f"postgresql://ada:{_PASSWORD}@127.0.0.1:{port}/ledger?connect_timeout=2"
        _refused(url, within=10.0)


def test_a_database_that_does_not_exist(postgres_server: Server) -> None:
    url = make_url(postgres_server.url).set(database="no_such_database", password=_PASSWORD)
    error = _refused(url.render_as_string(hide_password=False))
    assert "3D000" == error.code or error.code is None


def test_a_user_that_does_not_exist(postgres_server: Server) -> None:
    url = make_url(postgres_server.url).set(username="nobody_of_this_name", password=_PASSWORD)
    _refused(url.render_as_string(hide_password=False))


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
