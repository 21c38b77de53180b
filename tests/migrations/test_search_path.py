"""On PostgreSQL a ledger lies in the first schema of the search path, beside whatever the others hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy.engine import make_url

from chatledger import Ledger, Unavailable
from chatledger.migrate import HEAD
from chatledger.models import Base
from tests.migrations.commands import alembic, succeed
from tests.migrations.contents import contents, fill, fingerprint, found, revision
from tests.support.postgres import unique_name
from tests.support.raw import Raw

# Tables of an application in `public`: names without our prefix, and with it.
_THEIRS = ("sessions", "messages", "chatledger_sessions", "chatledger_version")


@pytest.fixture
def admin(postgres_url: str) -> Raw:
    """A database with tables of an application in `public`, and a schema `chat` with nothing in it."""
    raw = Raw(postgres_url)
    for name in _THEIRS:
        raw(f"CREATE TABLE public.{name} (id integer PRIMARY KEY, state text)")
        raw(f"INSERT INTO public.{name} VALUES (7, 'theirs')")
    raw("CREATE SCHEMA chat")
    return raw


@pytest.fixture
def role(admin: Raw) -> Iterator[str]:
    """A role that may do everything, until the test ends."""
    name = unique_name("role")
    admin(f"CREATE ROLE {name} LOGIN SUPERUSER")
    yield name
    admin(f"DROP OWNED BY {name} CASCADE")
    admin(f"DROP ROLE {name}")


def in_schema(url: str, path: str) -> str:
    return make_url(url).update_query_dict({"options": f"-csearch_path={path}"}).render_as_string(hide_password=False)


@pytest.mark.parametrize("path", ["chat", "chat,public", '"chat", "$user", public'])
def test_the_url_chooses_the_schema(admin: Raw, postgres_url: str, path: str, migrated_postgres_url: str) -> None:
    _works(admin, in_schema(postgres_url, path.replace(" ", "\\ ")), migrated_postgres_url)


def test_the_role_chooses_the_schema(admin: Raw, role: str, postgres_url: str, migrated_postgres_url: str) -> None:
    admin(f"ALTER ROLE {role} SET search_path = chat")
    url = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    _works(admin, url, migrated_postgres_url)


def _works(admin: Raw, url: str, elsewhere: str) -> None:
    """A ledger is installed in `chat`, used and checked; `public` stays as it was."""
    with closing(Ledger(url)) as ledger:
        assert HEAD == ledger.current()
        assert "chat" == ledger.info()["schema"]
    fill(url)
    assert all(found(url).values())
    assert fingerprint(elsewhere) == fingerprint(url)
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
        assert report, report
    assert "No new upgrade operations detected" in succeed("check", url=url)
    rows = contents(url)
    succeed("downgrade", "-1", url=url)
    succeed("upgrade", "head", url=url)
    assert rows == contents(url)
    assert len(Base.metadata.tables) + 1 == admin("SELECT count(*) FROM pg_tables WHERE schemaname = 'chat'")[0][0]
    for name in _THEIRS:
        assert [(7, "theirs")] == [tuple(row) for row in admin(f"SELECT * FROM public.{name}")]
    assert len(_THEIRS) == admin("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0][0]
    assert 0 == admin("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace")[0][0]


def test_check_sees_damage_in_that_schema(admin: Raw, postgres_url: str) -> None:
    url = in_schema(postgres_url, "chat")
    Ledger(url).close()
    admin("DROP TRIGGER chatledger_messages_count_insert ON chat.chatledger_messages")
    done = alembic("check", url=url)
    assert "('chatledger', 'missing: trigger chatledger_messages_count_insert')" in done.stdout + done.stderr


def test_two_ledgers_in_two_schemas_of_one_database(admin: Raw, postgres_url: str) -> None:
    admin("CREATE SCHEMA other")
    urls = [in_schema(postgres_url, path) for path in ("other", "chat,other")]
    for url in urls:
        Ledger(url).close()
        fill(url)
    assert contents(urls[0]).keys() == contents(urls[1]).keys()
    with closing(Ledger(urls[0])) as ledger:
        ledger.downgrade("base", drop_content=True)
    assert HEAD == revision(urls[1])
    with closing(Ledger(urls[1])) as ledger:
        assert ledger.check()


def test_a_search_path_without_any_schema_is_refused_by_name(postgres_url: str) -> None:
    with pytest.raises(Unavailable, match="CREATE SCHEMA"):
        Ledger(in_schema(postgres_url, "nowhere"))


def test_create_all_follows_the_search_path(admin: Raw, postgres_url: str, migrated_postgres_url: str) -> None:
    url = in_schema(postgres_url, "chat")
    Base.metadata.create_all(Raw(url).engine)
    assert fingerprint(migrated_postgres_url) == fingerprint(url)
