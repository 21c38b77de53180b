"""A receipt does not say that pages were cleaned by a role that may not clean them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from chatledger import Ledger
from tests.support.postgres import unique_name


@pytest.fixture
def role(migrated_postgres_url: str) -> Iterator[str]:
    """A role that works in the ledger and owns nothing of it."""
    name = unique_name("u")
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
        connection.execute(sql.SQL(grant).format(sql.Identifier(name)))
        yield name
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_role_without_the_right_to_vacuum_has_not_scrubbed(migrated_postgres_url: str, role: str) -> None:
    url = make_url(migrated_postgres_url).set(username=role).render_as_string(hide_password=False)
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        pytest.skip("the server lets no other user in from here")
    with Ledger(url) as working:
        working.run(lambda uow: uow.sessions.create(user_id="ada"))
        receipt = working.erase_user("ada")
    assert (1, False) == (receipt.sessions, receipt.scrubbed)
    with Ledger(migrated_postgres_url) as owning:
        assert owning.erase_user("ada").scrubbed is True
