"""On PostgreSQL what a trigger writes goes to the ledger, whatever the search path of the role that causes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chatledger import Ledger
from tests.support.postgres import unique_name
from tests.support.raw import Raw


@pytest.fixture
def owner(migrated_postgres_url: str) -> Raw:
    raw = Raw(migrated_postgres_url)
    raw("INSERT INTO chatledger_sessions (session_id) VALUES ('s')")
    return raw


@pytest.fixture
def writer(owner: Raw) -> Iterator[str]:
    """A role that may write into the ledger, and has a schema of its own name with tables of the same names."""
    name = unique_name("role")
    owner(f"CREATE ROLE {name} LOGIN")
    owner(f"CREATE SCHEMA {name} AUTHORIZATION {name}")
    owner(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    owner(f"DROP OWNED BY {name} CASCADE")
    owner(f"DROP ROLE {name}")


_WRITE = """
    INSERT INTO public.chatledger_messages (session_id, sequence_number, role, content, input_tokens)
    VALUES ('s', 1, 'user', 'Where to?', 8)"""


@pytest.mark.parametrize("kind", ["a schema of the role's name", "temporary tables"])
def test_a_role_with_tables_of_the_same_names_counts_in_the_ledger(owner: Raw, writer: str, kind: str) -> None:
    engine = create_engine(make_url(owner.engine.url).set(username=writer))
    with engine.begin() as connection:
        for table in ("chatledger_sessions", "chatledger_session_usage", "chatledger_models"):
            place = f"TABLE {writer}.{table}" if kind != "temporary tables" else f"TEMPORARY TABLE {table}"
            connection.execute(text(f"CREATE {place} (LIKE public.{table} INCLUDING ALL)"))
        hidden = "chatledger_sessions" if kind == "temporary tables" else f"{writer}.chatledger_sessions"
        connection.execute(text(f"INSERT INTO {hidden} (session_id) VALUES ('s')"))
        connection.execute(text(_WRITE))
        assert (0, 0) == tuple(
            connection.execute(text(f"SELECT message_count, total_tokens FROM {hidden} WHERE session_id = 's'")).one()
        )
    engine.dispose()
    ((messages, tokens),) = owner("SELECT message_count, total_tokens FROM public.chatledger_sessions")
    assert (1, 8) == (messages, tokens)
    assert [(1, 8)] == [
        tuple(row) for row in owner("SELECT messages, input_tokens FROM public.chatledger_session_usage")
    ]


@pytest.mark.parametrize("repaired", [False, True])
def test_every_function_names_the_schema_and_no_other(owner: Raw, repaired: bool) -> None:
    if repaired:
        owner("DROP FUNCTION chatledger_count_insert CASCADE")
        with closing(Ledger(owner.engine.url)) as ledger:
            ledger.repair()
            assert ledger.check()
    functions = owner(
        "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'chatledger%'"
    )
    assert functions
    assert {} == {
        name: settings
        for name, settings in functions
        if [part.replace(" ", "").replace('"', "") for part in settings or []] != ["search_path=public,pg_temp"]
    }
